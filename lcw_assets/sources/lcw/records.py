"""The records that Live Coin Watch sends, and what their fields mean.

Shapes and oddities: the official documentation (`/coins/list` and its siblings), and, if they differ,
recorded responses. Monetary values are in the requested currency, except `all_time_high_usd`. `delta`
values are multipliers: 1 is no change. Any value may be missing: LCW leaves out what it does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AliasPath, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lcw_assets.sources.lenient_json import Unreadable, parse
from lcw_assets.sources.records import Refused, fit_all

# LCW makes codes unique by prefixing underscores; up to 39 of them are known. Never parsed: NAN, TRUE, 00
# and 0xBTC are coins.
Code = Annotated[str, Field(min_length=1, max_length=64)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class Record(BaseModel):
    """Strict, so that an API that starts to send text for numbers is noticed, and no value is guessed."""

    model_config = ConfigDict(strict=True, extra="ignore", validate_by_name=True, defer_build=True)

    # Descriptive values, under the API's names. The others move: a record without one of these is not usable.
    describing: ClassVar[frozenset[str]] = frozenset()


def _multiplier(span: str) -> Any:
    return Field(None, validation_alias=AliasPath("delta", span))


class Quote(Record):
    """The values of a coin that move. Only `meta: true` brings `rank`; lists have no `liquidity`.

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
    # Only to notice a delta that is not an object.
    delta: dict[str, Any] | None = Field(None, exclude=True, repr=False)


class Coin(Quote):
    """A coin with the values of `meta: true`; without `meta` they are null."""

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


Coin.describing = frozenset(
    info.alias or name for name, info in Coin.model_fields.items() if name not in Quote.model_fields
)


class Exchange(Record):
    """An exchange at a moment. `bid_total` and `ask_total` are null for decentralised ones, whose `depth` is 0."""

    describing = frozenset({"name", "centralized", "usCompliant", "png64", "png128", "webp64", "webp128"})

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
class Records(Generic[R]):
    """The records of a response of so many `entries`; `places` are their indexes.

    `usable` are those whose moving values were all readable. `refused` has by reason the records and values that
    were not taken.
    """

    entries: int
    records: Sequence[R]
    places: Sequence[int]
    usable: int
    refused: Mapping[str, Refused] = field(default_factory=dict)


@lru_cache(maxsize=64)
def read_records(model: type[R], text: str) -> Records[R]:
    """The records of a list, or of a response that is one record. An unreadable value is lost, and nothing else.

    The client reads a response when it comes, and the load when it stores it: the second time it is cached.
    """
    many = text.lstrip().startswith("[")
    try:
        # All at once is three times as fast as one by one, and nearly always right.
        records = _list_of(model).validate_json(text) if many else [_one(model).validate_json(text)]
        return Records(len(records), records, range(len(records)), len(records))
    except ValidationError:
        pass
    try:
        document, unreadable = parse(text)
    except ValueError as error:
        refused = Refused()
        refused.add(text)
        return Records(0, [], [], 0, {f"not JSON: {error}": refused})
    if not many:
        document, unreadable = [document], [Unreadable((0, *one.path), one.reason, text) for one in unreadable]
    fitted, by_reason = fit_all(_one(model), document, unreadable)
    good = [one for one in fitted if one.record is not None]
    usable = sum(model.describing.issuperset(name.partition(".")[0] for name in one.wrong) for one in good)
    records = [one.record for one in good if one.record is not None]
    return Records(len(fitted), records, [one.place for one in good], usable, by_reason)


def list_model(endpoint: str, request: Mapping[str, Any]) -> type[Record] | None:
    """The model of a list's entries; null for an endpoint whose lists no load stores."""
    coin = Coin if request.get("meta") else Quote
    return {"coins/list": coin, "exchanges/list": Exchange}.get(endpoint)


def rows_json(records: Sequence[R]) -> str:
    """A JSON array of the records, with the names of the tables' columns."""
    return _list_of(type(records[0])).dump_json(list(records)).decode() if records else "[]"


@cache
def _one(model: type[R]) -> TypeAdapter[R]:
    return TypeAdapter(model)


@cache
def _list_of(model: type[R]) -> TypeAdapter[list[R]]:
    return TypeAdapter(list[model])  # type: ignore[valid-type]


def complaint(error: ValidationError) -> str:
    """Pydantic's errors, in one line: `rate: Input should be a valid number; …`."""
    return "; ".join(
        f"{'.'.join(str(part) for part in problem['loc']) or 'record'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )
