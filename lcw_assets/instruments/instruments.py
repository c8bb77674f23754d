"""From a venue's names to coins, and back. What is unknown or has two meanings is a reason, never a guess."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lcw_assets.instruments.names import EVERYWHERE, CoinName, Market, Unmapped


@dataclass(frozen=True)
class Instrument:
    """A market that is understood: `coin` is priced in `currency`, both in our codes."""

    coin: str
    currency: str
    market: Market


class Instruments:
    """All names and markets at one moment; what it says follows from the rows alone, in whatever order they come.

    `complaints` are about rows that could not be read.
    """

    def __init__(
        self, names: Iterable[CoinName], markets: Iterable[Market], at: datetime, complaints: Iterable[str] = ()
    ) -> None:
        self._at = at
        self.complaints = tuple(complaints)
        self._names: dict[tuple[str, str], list[CoinName]] = defaultdict(list)
        for row in names:
            self._names[row.venue, row.name].append(row)
        self._markets: dict[tuple[str, str], set[Market]] = defaultdict(set)
        for market in markets:
            self._markets[market.venue, market.symbol].add(market)
        self._coins: dict[tuple[str, str], str | Unmapped] = {}
        self._by_coin: dict[tuple[str, str, str], list[Instrument]] = defaultdict(list)
        self._meanings = {(venue, symbol): self._meaning(venue, symbol) for venue, symbol in sorted(self._markets)}
        for (venue, _), found in self._meanings.items():
            if isinstance(found, Instrument):
                self._by_coin[venue, found.coin, found.currency].append(found)
        self._traded = frozenset((venue, coin) for venue, coin, _ in self._by_coin)

    def coin(self, venue: str, name: str) -> str | Unmapped:
        """The coin that the venue calls so at this moment."""
        known = self._coins.get((venue, name))
        if known is None:
            known = self._coins[venue, name] = self._coin(venue, name)
        return known

    def _coin(self, venue: str, name: str) -> str | Unmapped:
        rows = self._names.get((venue, name)) or self._names.get((EVERYWHERE, name)) or []
        now = [row for row in rows if self._begun(row) and not self._ended(row)]
        coins = sorted({row.coin for row in now})
        if len(coins) == 1:
            return coins[0]
        place = {"venue": venue, "name": name}
        if coins:
            return Unmapped("two_coins", {**place, "coins": tuple(coins)})
        ended = [(row.until, row.coin, row) for row in rows if row.until is not None and self._ended(row)]
        if ended:
            until, coin, last = max(ended, key=lambda one: one[:2])
            fields = {**place, "coin": coin, "until": until}
            if last.successor is not None:
                return Unmapped("renamed", {**fields, "successor": last.successor})
            return Unmapped("delisted", fields)
        if rows:
            return Unmapped("not_yet", {**place, "since": min(row.since for row in rows if row.since is not None)})
        return Unmapped("unknown_name", place)

    def instrument(self, venue: str, symbol: str) -> Instrument | Unmapped:
        """What a symbol in a response of the venue means."""
        found = self._meanings.get((venue, symbol))
        return Unmapped("unknown_market", {"venue": venue, "symbol": symbol}) if found is None else found

    def _meaning(self, venue: str, symbol: str) -> Instrument | Unmapped:
        place = {"venue": venue, "symbol": symbol}
        markets = self._markets[venue, symbol]
        if len(markets) > 1:
            meanings = tuple(sorted(f"{market.base}/{market.quote} {market.kind}" for market in markets))
            return Unmapped("two_markets", {**place, "meanings": meanings})
        [market] = markets
        if market.kind != "spot":
            return Unmapped("not_spot", {**place, "kind": market.kind})
        if market.status != "trading":
            return Unmapped("not_trading", {**place, "status": market.status})
        if market.same_book is not None:
            return Unmapped("same_book", {**place, "of": market.same_book})
        coin, currency = self.coin(venue, market.base), self.coin(venue, market.quote)
        if isinstance(coin, Unmapped):
            return Unmapped(coin.code, {**place, **coin.fields})
        if isinstance(currency, Unmapped):
            return Unmapped(currency.code, {**place, **currency.fields})
        return Instrument(coin, currency, market)

    def market(self, venue: str, coin: str, currency: str) -> Instrument | Unmapped:
        """The one market to request for the price of a coin in a currency."""
        found = self._by_coin.get((venue, coin, currency), [])
        if len(found) == 1:
            return found[0]
        fields = {"venue": venue, "coin": coin, "currency": currency}
        if found:
            return Unmapped("two_markets", {**fields, "symbols": tuple(one.market.symbol for one in found)})
        return Unmapped("unknown_market", fields)

    def why_not(self, name: str) -> dict[str, list[str]]:
        """Why markets of this name have no meaning: the venues by code. Venues that have none are not there."""
        found: dict[str, list[str]] = {}
        for (venue, symbol), meant in self._meanings.items():
            if isinstance(meant, Unmapped) and any(market.base == name for market in self._markets[venue, symbol]):
                found.setdefault(meant.code, []).append(venue)
        return {code: list(dict.fromkeys(venues)) for code, venues in found.items()}

    def trades(self, venue: str, coin: str) -> bool:
        """Whether the venue has a market of the coin, in whatever currency."""
        return (venue, coin) in self._traded

    def _begun(self, row: CoinName) -> bool:
        return row.since is None or row.since <= self._at

    def _ended(self, row: CoinName) -> bool:
        return row.until is not None and row.until <= self._at
