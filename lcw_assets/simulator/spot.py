"""What exchanges share that have one endpoint for all spot prices, and one for the list of their markets.

Each writes its books in its vendor's shapes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import format_datetime
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import parse_qs

from lcw_assets.simulator.books import LIES, Book, Books, lie, number, times
from lcw_assets.simulator.market import Market
from lcw_assets.simulator.provider import Option, Provider, RateLimit, Request, Response, to_json

# Kinds of faults: the lies under HTTP 200, a market that is no more, a clock that is a day behind or ahead, and what a
# vendor says instead of prices. `too_many` is its limit under HTTP 200, of those that have such an error.
REFUSALS = ("ban", "country", "busy", "limit", "too_many")
_CLOCKS = {"clock": timedelta(days=-1), "future": timedelta(days=1)}
FAULTS = LIES | {"delisted", *_CLOCKS, *REFUSALS} - {"too_many"}

# A coin on every list of markets that nobody can trade: too long a ticker to be one of the hidden market's.
CLOSED = "HALTED"


@dataclass(frozen=True)
class Query:
    """What is requested, the time that the response has, and the fault."""

    parameters: Mapping[str, str]
    at: datetime
    fault: str


class Spot(ABC):
    """A vendor. `limit` is the weight that so many seconds allow; prices are made anew every `every_s`.

    `busy` is an error that passes, under HTTP 200 where the vendor has such. `delisted` is the kind of fault that a
    market which is no longer traded looks like. A `tagged` one sends an
    ETag, and a 304 to who has the same already.
    """

    name: ClassVar[str]
    endpoint: ClassVar[str]
    list_endpoint: ClassVar[str]
    currency: ClassVar[str] = "USDT"
    tether: ClassVar[bool] = False
    limit: ClassVar[tuple[int, int]]
    every_s: ClassVar[int] = 1
    delisted: ClassVar[str] = "missing"
    tagged: ClassVar[bool] = False

    def __init__(self, market: Market, **options: int) -> None:
        """Its one option is how many coins it trades."""
        places = options.get(f"{self.name}_markets", 300)
        self.rate = RateLimit(*self.limit)
        self._books = Books(market, self.name, places, self.currency, tether=self.tether)

    def respond(self, request: Request, fault: str) -> Response:
        respond_with = {self.endpoint: self.respond_with, self.list_endpoint: self.list_with}
        found = {path.strip("/"): method for path, method in respond_with.items()}.get(request.path)
        if found is None:
            return self.error(404)
        if request.method != "GET":
            return self.error(405)
        if fault != "busy" and not self.rate.spend(request.now, self.weight(request)):
            return self.refusal("limit", request.now)
        if fault in REFUSALS:
            return self.refusal(fault, request.now)
        at = request.now - timedelta(seconds=request.now.timestamp() % self.every_s)
        shown = at + _CLOCKS.get(fault, timedelta(0))
        fault = self.delisted if fault == "delisted" else fault
        parameters = {name: values[0] for name, values in parse_qs(request.query).items()}
        sent = found(lie(self._books, at, fault), Query(parameters, shown, fault))
        if isinstance(sent, Response):
            return sent
        body, headers = to_json(sent), self.headers(request.now)
        if self.tagged:
            headers |= {"etag": f'"{sha256(body).hexdigest()[:32]}"', "last-modified": format_datetime(at, usegmt=True)}
            known = request.headers.get("if-none-match")
            since = request.headers.get("if-modified-since")
            if known == headers["etag"] or (known is None and since == headers["last-modified"]):
                return Response(304, b"", headers)
        return Response(200, body, headers, usable=fault != "empty" and sent != {})

    def weight(self, request: Request) -> int:  # noqa: ARG002
        return 1

    def headers(self, now: datetime) -> dict[str, str]:  # noqa: ARG002
        """Of a good response, and of one over the limit."""
        return {}

    @abstractmethod
    def respond_with(self, books: Sequence[Book], query: Query) -> Any:
        """The document of all books, or of those that the query is for; or a response that refuses it."""

    @abstractmethod
    def list_with(self, books: Sequence[Book], query: Query) -> Any:
        """The list of these markets, and of others that have no price; or a response that refuses the query."""

    @abstractmethod
    def refusal(self, kind: str, now: datetime) -> Response:
        """What the vendor says over its `limit`, or for one of the REFUSALS."""

    @abstractmethod
    def error(self, status: int) -> Response:
        """Its error with this HTTP status."""


def refuse(status: int, document: Any, headers: dict[str, str] | None = None) -> Response:
    """A page if it is text."""
    if isinstance(document, str):
        return Response(status, document.encode(), {"content-type": "text/html", **(headers or {})}, usable=False)
    return Response(status, to_json(document), headers or {}, usable=False)


def provider(service: type[Spot], title: str, variables: str, *own_faults: str) -> Provider:
    return Provider(
        name=service.name,
        title=title,
        setting=f"{variables}_BASE_URL",
        service=service,
        options=(Option(f"{service.name}_markets", int, f"coins that {title} trades, about (300)"),),
        faults=FAULTS | {*own_faults},
    )


def milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def day_before(book: Book) -> str:
    """A price that was a day ago, about: for fields that nobody reads."""
    return times(book.last, 0.99)


def turnover(book: Book) -> str:
    return times(book.volume, number(book.last))
