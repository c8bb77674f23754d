"""What every source of prices gives, whatever its vendor calls it: a ticker for each of its markets.

A source names in a `TickerRow` where its vendor has each value; what cannot be read becomes a refusal with a reason,
and nothing else is lost with it. Whether a price makes sense (a zero, a crossed book, an old one) is not judged here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Annotated, Any, Literal, Protocol, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from lcw_assets.sources.lenient_json import Unreadable, parse
from lcw_assets.sources.records import Refusal, Refused, fit_all

# The markets to read of a response; null: all of them.
Wanted = frozenset[str] | None

# What the time of a ticker is of: its last trade, the vendor's snapshot, the response, or nothing, since there is none.
TimeKind = Literal["trade", "snapshot", "answer", "none"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST_MS = 253_402_300_799_000  # the year 9999
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_DIGITS = re.compile(r"\d{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Ticker:
    """A market at a source, under the name that the source gives it, in the market's own currency.

    Prices are as they came, zero included; null is what was not sent or cannot be read, and one of them there is.
    `volume` is of 24 hours, in coins.
    """

    market: str
    bid: float | None
    ask: float | None
    last: float | None
    volume: float | None
    source_time: datetime | None
    time_kind: TimeKind


@dataclass(frozen=True)
class Tickers:
    """A response's tickers, one a market, in its order. `refusals` are the rows and values that were not taken."""

    records: Sequence[Ticker]
    refusals: Sequence[Refusal] = ()


class TickersReader(Protocol):
    def __call__(self, text: str, wanted: Wanted = None) -> Tickers: ...


class NoTickersError(ValueError):
    """It is no list of tickers, or of markets. `code` is the vendor's own for what went wrong, if it sent one."""

    def __init__(self, reason: str, code: str | None = None) -> None:
        super().__init__(reason)
        self.code = code


def _amount(value: Any) -> Any:
    """Vendors send a number as text, so that no digit is lost; some of them as both. An empty one is not set."""
    if isinstance(value, str):
        if not value:
            return None
        if not _NUMBER.fullmatch(value):
            raise ValueError("it is no number")
        return float(value)
    return float(value) if type(value) is int else value


def _milliseconds(value: Any) -> Any:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    if value is None or value == "":
        return None
    if type(value) is not int or not 0 < value <= _LATEST_MS:
        raise ValueError("it is no time")
    return _EPOCH + timedelta(milliseconds=value)


def _seconds(value: Any) -> Any:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    return _milliseconds(value * 1000 if type(value) is int else value)


Amount = Annotated[Annotated[float, Field(ge=0, allow_inf_nan=False)] | None, BeforeValidator(_amount)]
Milliseconds = Annotated[datetime | None, BeforeValidator(_milliseconds)]
Seconds = Annotated[datetime | None, BeforeValidator(_seconds)]
Market = Annotated[str, Field(min_length=1, max_length=64)]
R = TypeVar("R", bound=BaseModel)


class TickerRow(BaseModel):
    """The fields that are needed, each with the place where the vendor has it; the others are not read."""

    model_config = ConfigDict(strict=True, defer_build=True)

    market: Market
    bid: Amount = None
    ask: Amount = None
    last: Amount = None
    volume: Amount = None
    source_time: Milliseconds = None

    @property
    def wanted(self) -> bool:
        """False for what is no market in this sense, and no mistake of the vendor's either."""
        return True


@dataclass(frozen=True)
class Body:
    """A parsed response, and what of it cannot be parsed. Its methods raise `NoTickersError`."""

    document: Any
    unreadable: Sequence[Unreadable] = field(default=())

    @classmethod
    def parse(cls, text: str) -> Body:
        try:
            return cls(*parse(text))
        except ValueError as error:
            raise NoTickersError(f"it is not JSON: {error}") from None

    def get(self, *path: str) -> Any:
        """Null if there is no such value."""
        found = self.document
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def require(self, code: str, good: str, message: str) -> None:
        """An envelope says under `code` that it is `good`, or else what is wrong."""
        found = self.get(code)
        if found is None or isinstance(found, dict | list):
            raise NoTickersError(f"it has no {code}")
        if str(found) != good:
            raise NoTickersError(f"{found} {self.get(message) or ''}".strip(), str(found))

    def listed(
        self, row: type[TickerRow], *path: str, kind: TimeKind, time: Any = None, wanted: Wanted = None
    ) -> Tickers:
        """The tickers of a list. `time` is the one of all of them, if rows have none."""
        return _tickers(*self.rows(row, *path, wanted=wanted), kind, _time(time))

    def keyed(self, row: type[TickerRow], *path: str, kind: TimeKind, wanted: Wanted = None) -> Tickers:
        """The tickers of an object, whose names are the markets."""
        return _tickers(*self.rows(row, *path, key="market", wanted=wanted), kind, None)

    def rows(
        self, row: type[R], *path: str, key: str | None = None, whole: bool = False, wanted: Wanted = None
    ) -> tuple[list[R], dict[str, Refused]]:
        """The rows of a list, and by reason what of them does not fit.

        With `key` it is an object, whose names become this field. A `whole` row has all that was sent of its fields, or
        is refused: there null would have a meaning of its own. Rows of markets that are not `wanted` are not looked at.
        """
        found, within = self.get(*path), len(path)
        name = ".".join(path) or "document"
        unreadable = [one for one in self.unreadable if one.path[:within] == path and len(one.path) > within]
        if key is None:
            if not isinstance(found, list):
                raise NoTickersError(f"its {name} is no list")
            if found and wanted is not None and not unreadable:
                found = _wanted(row, found, wanted)
            return _rows(row, found, unreadable, within, whole=whole)
        if not isinstance(found, dict):
            raise NoTickersError(f"its {name} is no object")
        if wanted is not None and not unreadable:
            found = {name: one for name, one in found.items() if name in wanted} or dict(list(found.items())[:1])
        places = {one: place for place, one in enumerate(found)}
        entries = [{**(one if isinstance(one, dict) else {}), key: name} for name, one in found.items()]
        placed = [
            Unreadable((places[str(one.path[within])], *one.path[within + 1 :]), one.reason, one.text)
            for one in unreadable
        ]
        return _rows(row, entries, placed, 0, whole=whole)


def _wanted(row: type[R], entries: list[Any], wanted: frozenset[str]) -> list[Any]:
    """Of the entries of these markets; if there are none, the first one: it shows whether any could be read."""
    field = row.model_fields["market"]
    choices = getattr(field.validation_alias, "choices", None) or [field.alias or "market"]
    found = [
        entry
        for entry in entries
        if not isinstance(entry, dict) or any(entry.get(name) in wanted for name in choices if isinstance(name, str))
    ]
    return found or entries[:1]


def _time(sent: Any) -> datetime | None:
    try:
        found: datetime | None = _milliseconds(sent)
    except ValueError:
        return None
    return found


def _rows(
    row: type[R], entries: list[Any], unreadable: Sequence[Unreadable], within: int, *, whole: bool
) -> tuple[list[R], dict[str, Refused]]:
    if not unreadable:
        with suppress(ValidationError):
            return _model(list[row]).validate_python(entries), {}  # type: ignore[valid-type]
    fitted, refused = fit_all(_model(row), entries, unreadable, within=within)
    names = {"record", *(field.alias or name for name, field in row.model_fields.items())}
    return [
        one.record
        for one in fitted
        if one.record is not None and not (whole and any(name.split(".")[0] in names for name in one.wrong))
    ], refused


def _tickers(rows: Iterable[TickerRow], refused: dict[str, Refused], kind: TimeKind, time: datetime | None) -> Tickers:
    found: dict[str, Ticker] = {}
    twice: set[str] = set()
    for one in filter(lambda row: row.wanted, rows):
        own = one.source_time or time
        ticker = Ticker(one.market, one.bid, one.ask, one.last, one.volume, own, kind if own else "none")
        if one.bid is None and one.ask is None and one.last is None:
            refused.setdefault("it has no price", Refused()).add(one.model_dump_json())
        elif found.setdefault(one.market, ticker) != ticker:
            # Which of them is right is not known, so neither is.
            twice.add(one.market)
    for market in twice:
        refused.setdefault("market: has two rows that differ", Refused()).add(str(found.pop(market)))
    if not found:
        why = f"none of its tickers can be read: {next(iter(refused))}" if refused else "it has no tickers"
        raise NoTickersError(why)
    return Tickers(
        list(found.values()), [Refusal(reason, one.entries, one.texts[0]) for reason, one in refused.items()]
    )


@cache
def _model(row: Any) -> TypeAdapter[Any]:
    return TypeAdapter(row)
