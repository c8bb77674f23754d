"""One round: from what the sources sent to quotes, conversions and a consensus for each coin."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from lcw_assets.defs.prices import consensus, conversion, quotes
from lcw_assets.defs.prices.consensus import Consensus, ConsensusLimits, Method, make_consensus
from lcw_assets.defs.prices.conversion import ConversionLimits, Rate, implied_rate, measure
from lcw_assets.defs.prices.quotes import Past, Quote, QuoteLimits, Ticker, make_quote, still, to_usd
from lcw_assets.defs.prices.refusal import Refusal
from lcw_assets.instruments.instruments import Instrument, Instruments


@dataclass(frozen=True)
class Response:
    """What one source sent in this round, parsed."""

    source: str
    received_at: datetime
    tickers: Sequence[Ticker]


@dataclass(frozen=True)
class Rules:
    """How a round is judged. Witnesses are averages of exchanges: they never vote."""

    witnesses: frozenset[str] = frozenset({"lcw", "coingecko"})
    method: Method = "median"
    quotes: QuoteLimits = quotes.DEFAULT_LIMITS
    conversion: ConversionLimits = conversion.DEFAULT_LIMITS
    consensus: ConsensusLimits = consensus.DEFAULT_LIMITS


@dataclass(frozen=True)
class Round:
    """All that follows from the responses: quotes with refused ones among them, the rate of each currency that a quote
    needed, and one consensus for each coin, in the order of the coins.
    """

    at: datetime
    quotes: tuple[Quote, ...]
    rates: Mapping[str, Rate | Refusal]
    consensus: tuple[Consensus, ...]


def price_round(
    responses: Iterable[Response],
    instruments: Instruments,
    coins: Sequence[str],
    called: Collection[str],
    at: datetime,
    *,
    last_rates: Mapping[str, Rate] | None = None,
    history: Mapping[tuple[str, str], Past] | None = None,
    rules: Rules | None = None,
) -> Round:
    """`called` are the sources that were called, whoever responded. `last_rates` are the last good rates by currency,
    `history` what a source's market did in the rounds before, by (source, market); without it nothing stands still.
    """
    rules = rules or Rules()
    made = _without_still_ones(_quotes(responses, instruments, frozenset(coins), at, rules), history or {})
    votes = [quote for quote in made if quote.source not in rules.witnesses]
    rates = {
        currency: _rate(currency, votes, (last_rates or {}).get(currency), at, rules)
        for currency in sorted({quote.currency for quote in made} - {"USD"})
    }
    converted = tuple(to_usd(quote, rates, at) for quote in made)
    by_coin = defaultdict(list)
    for quote in converted:
        by_coin[quote.coin].append(quote)
    agreed = tuple(
        make_consensus(
            coin,
            at,
            by_coin[coin],
            [source for source in called if instruments.trades(source, coin)],
            witnesses=rules.witnesses,
            method=rules.method,
            limits=rules.consensus,
        )
        for coin in coins
    )
    return Round(at, converted, rates, agreed)


def _quotes(
    responses: Iterable[Response], instruments: Instruments, coins: frozenset[str], at: datetime, rules: Rules
) -> list[Quote]:
    """Of the coins, and of the currencies that they are quoted in. What has no meaning, or another one, is no quote."""
    found = []
    for response in responses:
        for ticker in response.tickers:
            meant = instruments.instrument(response.source, ticker.market)
            if isinstance(meant, Instrument):
                found.append((response, ticker, meant))
    needed = coins | {meant.currency for _, _, meant in found if meant.coin in coins}
    return [
        make_quote(
            ticker,
            source=response.source,
            coin=meant.coin,
            currency=meant.currency,
            received_at=response.received_at,
            at=at,
            limits=rules.quotes,
        )
        for response, ticker, meant in found
        if meant.coin in needed
    ]


def _without_still_ones(made: list[Quote], history: Mapping[tuple[str, str], Past]) -> list[Quote]:
    if not history:
        return made
    rows = {
        index: past.after(quote.price)
        for index, quote in enumerate(made)
        if quote.price is not None and (past := history.get((quote.source, quote.market)))
    }
    by_coin = defaultdict(list)
    for index in rows:
        by_coin[made[index].coin].append(index)
    return [
        still(quote, own, [rows[other] for other in by_coin[quote.coin] if other != index])
        if (own := rows.get(index)) and own.lowest == own.highest
        else quote
        for index, quote in enumerate(made)
    ]


def _rate(currency: str, votes: Sequence[Quote], last_good: Rate | None, at: datetime, rules: Rules) -> Rate | Refusal:
    in_usd, in_currency = defaultdict(list), defaultdict(list)
    direct = {}
    for quote in votes:
        if quote.refusal is not None or quote.price is None:
            continue
        if quote.coin == currency:
            if quote.currency == "USD":
                direct[quote.source] = quote.price
        elif quote.currency == "USD":
            in_usd[quote.coin].append(quote.price)
        elif quote.currency == currency:
            in_currency[quote.coin].append(quote.price)
    return measure(currency, direct, implied_rate(in_usd, in_currency), last_good, at, rules.conversion)
