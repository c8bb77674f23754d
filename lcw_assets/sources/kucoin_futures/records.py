"""The contracts that KuCoin Futures sends, and what their fields mean.

Shapes and oddities: the official specification and recorded responses of 2022 to 2025. Fields came and went over these
years (`supportCross`, `buyLimit`, the risk model are newer), so any may be missing; numbers come as text
(`openInterest`), in E notation and with trailing zeros; "not set" is null or an empty text.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from lcw_assets.sources.lenient_json import Unreadable, parse
from lcw_assets.sources.records import Refusal, Refused, fit_all

# Lax, unlike Live Coin Watch's: KuCoin sends numbers as text on purpose.
Number = Annotated[float, Field(allow_inf_nan=False)]
# Milliseconds: of a time up to the year 9999, and of a duration.
Millis = Annotated[float, Field(ge=0, le=253_402_300_799_000)]
Span = Annotated[float, Field(ge=-1e12, le=1e12, allow_inf_nan=False)]
Symbol = Annotated[str, Field(min_length=1, max_length=64)]


class Contract(BaseModel):
    """A contract. Dates are UNIX milliseconds; rates, margins and `price_chg_pct` are fractions.

    `next_funding_rate_time` is the number of milliseconds left, not a time. `multiplier` is -1 for inverse contracts.
    `exchange_status` is KuCoin's `status`. Unknown fields are in `model_extra`.
    """

    model_config = ConfigDict(extra="allow", alias_generator=to_camel, defer_build=True)

    symbol: Symbol
    root_symbol: str | None = None
    type: str | None = None
    first_open_date: Millis | None = None
    expire_date: Millis | None = None
    settle_date: Millis | None = None
    base_currency: str | None = None
    quote_currency: str | None = None
    settle_currency: str | None = None
    max_order_qty: Number | None = None
    max_price: Number | None = None
    lot_size: Number | None = None
    tick_size: Number | None = None
    index_price_tick_size: Number | None = None
    multiplier: Number | None = None
    initial_margin: Number | None = None
    maintain_margin: Number | None = None
    max_risk_limit: Number | None = None
    min_risk_limit: Number | None = None
    risk_step: Number | None = None
    maker_fee_rate: Number | None = None
    taker_fee_rate: Number | None = None
    taker_fix_fee: Number | None = None
    maker_fix_fee: Number | None = None
    settlement_fee: Number | None = None
    is_deleverage: bool | None = None
    is_quanto: bool | None = None
    is_inverse: bool | None = None
    support_cross: bool | None = None
    mark_method: str | None = None
    fair_method: str | None = None
    funding_base_symbol: str | None = None
    funding_quote_symbol: str | None = None
    funding_rate_symbol: str | None = None
    index_symbol: str | None = None
    settlement_symbol: str | None = None
    premiums_symbol_1m: str | None = Field(None, alias="premiumsSymbol1M")
    premiums_symbol_8h: str | None = Field(None, alias="premiumsSymbol8H")
    funding_base_symbol_1m: str | None = Field(None, alias="fundingBaseSymbol1M")
    funding_quote_symbol_1m: str | None = Field(None, alias="fundingQuoteSymbol1M")
    source_exchanges: list[str] | None = None
    exchange_status: str | None = Field(None, alias="status")
    funding_rate_granularity: Number | None = None
    max_leverage: Number | None = None
    k: Number | None = None
    m: Number | None = None
    f: Number | None = None
    mmr_limit: Number | None = None
    mmr_lev_constant: Number | None = None
    funding_fee_rate: Number | None = None
    predicted_funding_fee_rate: Number | None = None
    next_funding_rate_time: Span | None = None
    open_interest: Number | None = None
    turnover_of_24h: Number | None = Field(None, alias="turnoverOf24h")
    volume_of_24h: Number | None = Field(None, alias="volumeOf24h")
    mark_price: Number | None = None
    index_price: Number | None = None
    last_trade_price: Number | None = None
    low_price: Number | None = None
    high_price: Number | None = None
    price_chg_pct: Number | None = None
    price_chg: Number | None = None
    buy_limit: Number | None = None
    sell_limit: Number | None = None


class _Envelope(BaseModel):
    model_config = ConfigDict(defer_build=True)

    code: str
    data: list[Contract]


@dataclass(frozen=True)
class Contracts:
    """A response's contracts, one a symbol, in its order. `refusals` are the records and values that were not taken."""

    records: Sequence[Contract]
    refusals: Sequence[Refusal] = ()


class NoContractsError(ValueError):
    """It is not a list of contracts. `code` is the envelope's, if there is one."""

    def __init__(self, reason: str, code: str | None = None) -> None:
        super().__init__(reason)
        self.code = code


@lru_cache(maxsize=1)
def read_contracts(text: str) -> Contracts:
    """The contracts of a response. Raises `NoContractsError`.

    A value that cannot be read is null; its contract stays, or it would be taken for delisted. The last response is
    cached, because a sync reads its own twice: when it comes, and when it is stored.
    """
    try:
        # All at once is three times as fast as one by one, and nearly always right.
        with _no_collecting():
            envelope = _envelope().validate_json(text)
    except ValidationError:
        pass
    else:
        if envelope.code == "200000":
            return _unique(envelope.data, {})
    entries, unreadable = _data(text)
    fitted, refused = fit_all(_contract(), entries, unreadable, within=1, clean=_no_blanks)
    records = [one.record for one in fitted if one.record is not None]
    if refused and not records:
        raise NoContractsError(f"none of its records can be read: {next(iter(refused))}")
    return _unique(records, refused)


def _data(text: str) -> tuple[list[Any], list[Unreadable]]:
    """The entries of a list of contracts, and what of them cannot be parsed."""
    try:
        document, unreadable = parse(text)
    except ValueError as error:
        raise NoContractsError(f"it is not JSON: {error}") from None
    code = document.get("code") if isinstance(document, dict) else None
    if code is None:
        raise NoContractsError("it has no code")
    if str(code) != "200000":
        raise NoContractsError(f"{code} {document.get('msg', '')}".strip(), str(code))
    if not isinstance(document.get("data"), list):
        raise NoContractsError("its data is no list")
    return document["data"], [one for one in unreadable if one.path[:1] == ("data",)]


def _no_blanks(entry: Any) -> Any:
    return {name: None if value == "" else value for name, value in entry.items()} if isinstance(entry, dict) else entry


def _unique(records: Sequence[Contract], refused: dict[str, Refused]) -> Contracts:
    """Of two records with one symbol the last one counts."""
    latest = {record.symbol: record for record in records}
    if len(latest) < len(records):
        for record in records:
            if latest[record.symbol] is not record:
                refused.setdefault("symbol: is in the response again", Refused()).add(record.model_dump_json())
    refusals = [Refusal(reason, found.entries, found.texts[0]) for reason, found in refused.items()]
    return Contracts(list(latest.values()), refusals)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Without garbage collection, which would scan ten thousand new objects again and again: a fifth faster."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@cache
def _envelope() -> TypeAdapter[_Envelope]:
    return TypeAdapter(_Envelope)


@cache
def _contract() -> TypeAdapter[Contract]:
    return TypeAdapter(Contract)
