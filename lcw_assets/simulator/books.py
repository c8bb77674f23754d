"""Order books of the coins that an exchange trades, at its prices; and the ways in which exchanges send wrong ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from lcw_assets.simulator.market import DAY, Listing, Market
from lcw_assets.simulator.venue import Venue, tick_digits

# Of each price: half of what the largest coin's book is wide. A smaller coin's is wider.
_HALF_SPREAD = 2e-5

# What a USDT is worth in a depeg, of what it is worth otherwise; how old the prices of `lag` are.
DEPEG = 0.97
LAG = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class Book:
    """A market of `ticker` against `currency`. Prices and volume are texts, as vendors send them."""

    ticker: str
    currency: str
    bid: str
    ask: str
    last: str
    volume: str


class Books:
    """The markets of an exchange against one currency, and the one of USDT against USD if it has that."""

    def __init__(self, market: Market, name: str, places: int, currency: str, *, tether: bool) -> None:
        self._market = market
        self._venue = Venue(market, name, places)
        self._currency = currency
        self._tether = tether

    def at(self, now: datetime) -> Iterator[Book]:
        """Every market, USDT first."""
        minute = now.timestamp() / 60
        if self._tether and (tether := self._market.find("USDT", int(minute))):
            yield self._book(tether, "USD", minute)
        for coin in self._venue.coins(int(minute)):
            yield self._book(coin, self._currency, minute)

    def _book(self, coin: Listing, currency: str, minute: float) -> Book:
        digits = _digits(self._market, coin)
        price = self._venue.price(coin, minute, currency)
        half = max(price * _HALF_SPREAD * (1 + coin.slot) ** 0.25, 0.5 * 10**-digits)
        turn = int(minute * 60) % 3 - 1
        volume = 3e-4 * self._market.cap(coin.slot, minute) / self._market.price(coin, minute)
        bid, ask, last = (f"{price + side * half:.{digits}f}" for side in (-1, 1, turn * 0.9))
        return Book(str(coin.ticker or coin.code), currency, bid, ask, last, f"{volume:.8f}")


@lru_cache(maxsize=20_000)
def _digits(market: Market, coin: Listing) -> int:
    return tick_digits(market, coin) + 1


def _scaled(book: Book, factor: float) -> Book:
    return replace(book, **{name: times(getattr(book, name), factor) for name in ("bid", "ask", "last")})


def times(text: str, factor: float) -> str:
    """With as many decimals."""
    return f"{number(text) * factor:.{len(text.partition('.')[2])}f}"


def number(text: str) -> float:
    """Zero for a word, which is one of the lies."""
    return float(text) if text[:1].isdigit() else 0.0


def _zeros(book: Book) -> Book:
    nothing = f"{0:.8f}"
    return replace(book, bid=nothing, ask=nothing, last=nothing, volume=nothing)


def _depegged(book: Book) -> Book:
    """In USDT everything costs more; in USD only USDT costs less."""
    if book.ticker == "USDT":
        return _scaled(book, DEPEG)
    return _scaled(book, 1 / DEPEG) if book.currency == "USDT" else book


def _cancel_only(book: Book) -> Book:
    """Nothing may be traded: what is left of a book is far apart, and there is no last trade."""
    nothing = f"{0:.8f}"
    return replace(book, bid=times(book.bid, 0.13), last=nothing, volume=nothing)


def _first(change: Callable[[Book], Book]) -> Callable[[list[Book]], list[Book]]:
    """What happens to the largest coin alone."""

    def changed(books: list[Book]) -> list[Book]:
        largest = next((place for place, book in enumerate(books) if book.ticker != "USDT"), None)
        return [change(book) if place == largest else book for place, book in enumerate(books)]

    return changed


def _mixed(books: list[Book]) -> list[Book]:
    """Each under the name of the one before it."""
    return [
        replace(book, ticker=named.ticker, currency=named.currency)
        for book, named in zip(books[1:] + books[:1], books, strict=True)
    ]


def _twice(books: list[Book]) -> list[Book]:
    """The largest coin's name means two coins: the next one has it as well."""
    own = [book for book in books if book.ticker != "USDT"][:2]
    return [*books, replace(own[1], ticker=own[0].ticker)] if len(own) == 2 else books


# Responses with HTTP 200 that are wrong. `yesterday`, `lag`, `stuck` and `drift` are about time: see `lie`.
_LIES: Mapping[str, Callable[[list[Book]], list[Book]]] = {
    "zeros": _first(_zeros),
    "crossed": lambda books: [replace(_scaled(book, 1.0), bid=book.ask, ask=book.bid) for book in books],
    "preopen": _first(lambda book: replace(book, bid=times(book.bid, 1.01), ask=times(book.ask, 0.99), last="")),
    "cancel_only": _first(_cancel_only),
    "quiet": _first(lambda book: replace(book, last=times(book.last, 0.97), volume=f"{0:.8f}")),
    "dead_last": _first(lambda book: replace(book, last=f"{0:.8f}")),
    "stale_last": _first(lambda book: replace(book, last=times(book.last, 0.97))),
    "renamed": _first(lambda book: replace(book, ticker=f"{book.ticker}2")),
    "missing": lambda books: [book for book in books if book.ticker != "BTC"],
    "empty": lambda _: [],
    "jump": lambda books: [_scaled(book, 1.5) for book in books],
    "depeg": lambda books: [_depegged(book) for book in books],
    "mixed": _mixed,
    "twice": _twice,
    "text": _first(lambda book: replace(book, bid="n/a", ask="n/a", last="n/a")),
}

LIES = frozenset({*_LIES, "yesterday", "lag", "stuck", "drift"})


def lie(books: Books, now: datetime, fault: str) -> Sequence[Book]:
    """The markets at `now`, as this kind of fault has them; `none` is the truth."""
    if fault == "yesterday":
        return list(books.at(now - timedelta(minutes=DAY)))
    if fault == "lag":
        return list(books.at(now - LAG))
    if fault == "stuck":
        return list(books.at(now.replace(minute=0, second=0, microsecond=0)))
    if fault == "drift":  # by 1 % an hour, from midnight on
        hours = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(hours=1)
        return [_scaled(book, 1 + hours / 100) for book in books.at(now)]
    found = list(books.at(now))
    return _LIES[fault](found) if fault in _LIES else found
