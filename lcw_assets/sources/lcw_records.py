"""The records that Live Coin Watch answers with, as it means them.

Shapes and oddities: the official documentation (`/coins/list` and its siblings), and where recorded answers differ
from it, the answers. Monetary values are in the currency that was asked for, except `all_time_high_usd`. `delta`
values are multipliers: 1 is no change. Any value may be missing: LCW leaves out what it does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import AliasPath, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

# LCW makes codes unique by prefixing underscores; up to 39 of them are known. Never parsed: NAN, TRUE, 00
# and 0xBTC are coins.
Code = Annotated[str, Field(min_length=1, max_length=64)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class Record(BaseModel):
    """Strict, so that an API that starts to send text for numbers is noticed and not guessed at."""

    model_config = ConfigDict(strict=True, extra="ignore", validate_by_name=True, defer_build=True)


def _multiplier(span: str) -> Any:
    return Field(None, validation_alias=AliasPath("delta", span))


class Quote(Record):
    """What moves of a coin. Only `meta: true` brings `rank`; lists do not tell `liquidity`.

    LCW nests the deltas and documents them as 0 to 2; recorded ones go up to 24. `delta_year` is null for coins
    younger than that.
    """

    code: Code
    rank: Count | None = None
    rate: Number | None = None
    volume: Number | None = None
    cap: Number | None = None
    liquidity: Number | None = None
    delta_hour: Number | None = _multiplier("hour")
    delta_day: Number | None = _multiplier("day")
    delta_week: Number | None = _multiplier("week")
    delta_month: Number | None = _multiplier("month")
    delta_quarter: Number | None = _multiplier("quarter")
    delta_year: Number | None = _multiplier("year")
    # Here only so that a delta that is no object is noticed.
    delta: dict[str, Any] | None = Field(None, exclude=True, repr=False)


class Coin(Quote):
    """A coin with what `meta: true` says of it; without, all of that is null."""

    name: str | None = None
    symbol: str | None = None
    circulating_supply: Number | None = Field(None, alias="circulatingSupply")
    total_supply: Number | None = Field(None, alias="totalSupply")
    max_supply: Number | None = Field(None, alias="maxSupply")
    all_time_high_usd: Number | None = Field(None, alias="allTimeHighUSD")
    age_days: Count | None = Field(None, alias="age")
    exchanges: Count | None = None
    markets: Count | None = None
    pairs: Count | None = None
    categories: list[str] | None = None
    color: str | None = None
    links: dict[str, Any] | None = None
    png32: str | None = None
    png64: str | None = None
    webp32: str | None = None
    webp64: str | None = None


class Exchange(Record):
    """An exchange at a moment. `bid_total` and `ask_total` are null for decentralised ones, whose `depth` is 0."""

    code: Code
    markets: Count | None = None
    volume: Number | None = None
    bid_total: Number | None = Field(None, alias="bidTotal")
    ask_total: Number | None = Field(None, alias="askTotal")
    depth: Number | None = None
    visitors: Count | None = None
    volume_per_visitor: Number | None = Field(None, alias="volumePerVisitor")
    name: str | None = None
    centralized: bool | None = None
    us_compliant: bool | None = Field(None, alias="usCompliant")
    png64: str | None = None
    png128: str | None = None
    webp64: str | None = None
    webp128: str | None = None


class Overview(Record):
    """The whole market at a moment. `btc_dominance` is a fraction, not a percentage."""

    cap: Number | None
    volume: Number | None
    liquidity: Number | None = None
    btc_dominance: Number | None = Field(None, alias="btcDominance")


# LCW's dates are UNIX milliseconds; pydantic reads integers of that size so.
Date = Annotated[datetime, Field(strict=False)]


class OverviewPoint(Overview):
    """A point of the market's history, on a five-minute grid. LCW restates them."""

    date: Date


class CoinPoint(Record):
    """A point of a coin's history. `liquidity` is missing in old ones."""

    date: Date
    rate: Number | None = None
    volume: Number | None = None
    cap: Number | None = None
    liquidity: Number | None = None


class Credits(Record):
    """The day's API credits: 1 a call, renewed at UTC midnight."""

    remaining: Count = Field(alias="dailyCreditsRemaining")
    limit: Count = Field(alias="dailyCreditsLimit")


class Fiat(Record):
    code: Code
    name: str
    countries: list[str] = []
    flag: str | None = None
    symbol: str | None = None


class Platform(Record):
    code: Code
    name: str


R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Reject:
    """A record that does not validate: its place in the answer, the reason in words, and the record as JSON text."""

    place: int
    reason: str
    text: str


def read_records(model: type[R], text: str) -> tuple[list[R], list[Reject]]:
    """The records of a list answer, or of an answer that is one record, and those that are none.

    One bad record among a hundred costs that record and no other.
    """
    many = text.lstrip().startswith("[")
    try:
        # All at once is three times as fast as one by one, and nearly always right.
        return (_list_of(model).validate_json(text) if many else [_one(model).validate_json(text)]), []
    except ValidationError:
        pass
    try:
        document = from_json(text)
    except ValueError as error:
        return [], [Reject(0, f"not JSON: {error}", text)]
    good: list[R] = []
    rejects: list[Reject] = []
    for place, item in enumerate(document if many else [document]):
        try:
            good.append(_one(model).validate_python(item))
        except ValidationError as error:
            rejects.append(Reject(place, complaint(error), to_json(item).decode()))
    return good, rejects


def rows_json(records: Sequence[R]) -> str:
    """A JSON array of the records, under their own names: those of the tables' columns."""
    return _list_of(type(records[0])).dump_json(list(records)).decode() if records else "[]"


@cache
def _one(model: type[R]) -> TypeAdapter[R]:
    return TypeAdapter(model)


@cache
def _list_of(model: type[R]) -> TypeAdapter[list[R]]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]


def complaint(error: ValidationError) -> str:
    """What pydantic minds, in one line: `rate: Input should be a valid number; …`."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'record'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )
