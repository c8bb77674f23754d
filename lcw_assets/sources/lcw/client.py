"""Live Coin Watch: every endpoint of its API as a typed method, and what its errors mean.

Source: https://livecoinwatch.github.io/lcw-api-docs/ and recorded responses. Every endpoint is a POST with a JSON body;
a call costs one credit (`status` none); lists come bare, at most 100 entries each, and without any total.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from lcw_assets.sources.client import SourceClient, excerpt, not_the_source
from lcw_assets.sources.gateway import gateway_error
from lcw_assets.sources.lcw.records import (
    Coin,
    CoinPoint,
    Credits,
    Exchange,
    Fiat,
    Overview,
    OverviewPoint,
    Platform,
    Quote,
    Records,
    complaint,
    list_model,
    read_records,
)
from lcw_assets.sources.lcw.requests import LARGEST_PAGE, entries_of, largest_body, most_entries, page_request
from lcw_assets.sources.lcw.spec import SOURCE
from lcw_assets.sources.lenient_json import parse
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, PermanentError, RefusedError, TransientError
from lcw_assets.transport.facts import Response
from lcw_assets.transport.retry import retry_after_s

T = TypeVar("T")


CoinSort = Literal["rank", "price", "volume", "code", "name", "age"]
ExchangeSort = Literal["volume", "liquidity", "code", "name", "visitors"]
Order = Literal["ascending", "descending"]

_LIST_ENDPOINTS = ("overview/history", "coins/list", "coins/map", "fiats/all", "platforms/all", "exchanges/list")


class WrongKeyError(RefusedError):
    """401 or 403, in Live Coin Watch's own words. From anyone else it is not about the key."""


class OutOfCreditsError(RefusedError):
    """402, or a 429 that speaks of credits. What LCW really sends then is not recorded anywhere."""


class UnknownCodeError(PermanentError):
    """400 `Unknown coin code.`"""


class LiveCoinWatch(SourceClient):
    """Every typed method raises `CallError` if it gets no response."""

    source = SOURCE
    method = "POST"

    def __init__(self, client: Client, *, deadline: Deadline, simulated: bool = False, currency: str = "USD") -> None:
        super().__init__(client, deadline=deadline, simulated=simulated)
        self.currency = currency

    def until(self, deadline: Deadline) -> LiveCoinWatch:
        """The same API with another deadline."""
        return LiveCoinWatch(self.client, deadline=deadline, simulated=self.simulated, currency=self.currency)

    def status(self) -> None:
        """Is the API up? Needs no key and costs nothing."""
        self.fetch("status", {})

    def credits(self) -> Credits:
        return self._get(Credits, "credits", {})

    def overview(self) -> Overview:
        return self._get(Overview, "overview", {"currency": self.currency})

    def overview_history(self, start: datetime, end: datetime) -> list[OverviewPoint]:
        request = {"currency": self.currency, "start": _ms(start), "end": _ms(end)}
        return self._get(list[OverviewPoint], "overview/history", request)

    def coins_single(self, code: str, *, meta: bool = True) -> Coin:
        """One coin. The response does not name it: `code` is the requested one. Raises `UnknownCodeError`."""
        request = {"currency": self.currency, "code": code, "meta": meta}
        return _validated(Coin, "coins/single", self.fetch("coins/single", request) | {"code": code})

    def coins_single_history(self, code: str, start: datetime, end: datetime) -> list[CoinPoint]:
        """At most about 101 points, so that the step follows from the range. `end` is inclusive.

        A coin that did not exist then has no points. Raises `UnknownCodeError`.
        """
        request = {"currency": self.currency, "code": code, "start": _ms(start), "end": _ms(end), "meta": False}
        document = self.fetch("coins/single/history", request)
        return _validated(list[CoinPoint], "coins/single/history", document.get("history"))

    def coins_list(
        self,
        *,
        offset: int = 0,
        limit: int = LARGEST_PAGE,
        sort: CoinSort = "rank",
        order: Order = "ascending",
        meta: bool = True,
    ) -> list[Coin]:
        """A page of coins: at most 100, fewer at the end of the list."""
        request = page_request(currency=self.currency, offset=offset, limit=limit, sort=sort, order=order, meta=meta)
        quotes = self._get(list[Quote], "coins/list", request)
        return [quote if isinstance(quote, Coin) else Coin.model_construct(**vars(quote)) for quote in quotes]

    def coins_map(
        self, codes: Sequence[str], *, sort: CoinSort = "rank", order: Order = "ascending", meta: bool = True
    ) -> list[Coin]:
        """Up to 100 coins by code, in the order of `sort`, not of `codes`. Unknown codes are left out."""
        request = page_request(
            currency=self.currency, offset=0, limit=len(codes), sort=sort, order=order, meta=meta
        ) | {"codes": list(codes)}
        return self._get(list[Coin], "coins/map", request)

    def coins_contract(self, platform: str, address: str, *, meta: bool = True) -> Coin:
        """The coin behind a contract, such as `("ETH", "0x…")`. Raises `UnknownCodeError`."""
        request = {"currency": self.currency, "platform": platform, "address": address, "meta": meta}
        return self._get(Coin, "coins/contract", request)

    def fiats_all(self) -> list[Fiat]:
        return self._get(list[Fiat], "fiats/all", {})

    def platforms_all(self) -> list[Platform]:
        return self._get(list[Platform], "platforms/all", {})

    def exchanges_single(self, code: str, *, meta: bool = True) -> Exchange:
        """One exchange, by its lower-case code. Raises `UnknownCodeError`."""
        return self._get(Exchange, "exchanges/single", {"currency": self.currency, "code": code, "meta": meta})

    def exchanges_list(
        self,
        *,
        offset: int = 0,
        limit: int = LARGEST_PAGE,
        sort: ExchangeSort = "volume",
        order: Order = "descending",
        meta: bool = True,
    ) -> list[Exchange]:
        """A page of exchanges: at most 100, fewer at the end of the list."""
        request = page_request(currency=self.currency, offset=offset, limit=limit, sort=sort, order=order, meta=meta)
        return self._get(list[Exchange], "exchanges/list", request)

    def largest_body(self, endpoint: str, request: dict[str, Any]) -> int:
        return largest_body(endpoint, request)

    def read(self, response: Response) -> Any:
        """The `Records` of a list that loads store; else a JSON document of the right outer shape, with null for values
        that cannot be parsed.
        """
        return read_document(response, self.client.base_url)

    def _get(self, model: type[T], endpoint: str, request: dict[str, Any]) -> T:
        return _validated(model, endpoint, self.fetch(endpoint, request))


def read_document(response: Response, base_url: str) -> Any:
    """The JSON document of a response, with null for values that cannot be parsed.

    Raises a `CallError` if it has none.

    An `error` object is an error under any HTTP status, 200 included. Its text is not used: it
    differs between the documentation and the recordings.
    """
    model = list_model(response.endpoint, response.request) if response.http_status == 200 else None
    if model and response.text.lstrip()[:1] == "[":
        records = read_records(model, response.text)
        if records.entries or not records.refused:
            return _fitting(response, records, records.entries, base_url)
    try:
        document, _ = parse(response.text)
    except ValueError:
        document = None
    error = document.get("error") if isinstance(document, dict) else None
    own = isinstance(error, dict) and "description" in error
    if not own and (foreign := gateway_error(response, base_url, "Live Coin Watch")):
        raise foreign
    if isinstance(error, dict):
        code = error["code"] if isinstance(error.get("code"), int) else response.http_status
        raise _api_error(response, code, f"{code} {error.get('status', '')}: {error.get('description', '')}")
    if response.http_status in (404, 405, 501) or 300 <= response.http_status < 400:
        raise not_the_source(response, SOURCE, base_url)
    if response.http_status >= 400:
        raise _api_error(response, response.http_status, f"HTTP {response.http_status}")
    wanted: type[Any] = list if response.endpoint in _LIST_ENDPOINTS else dict
    if not isinstance(document, wanted):
        shape = "a list" if wanted is list else "an object"
        reason = f"{base_url} sent {excerpt(response.text)} where {shape} was due"
        raise TransientError(response.endpoint, reason, outcome="broken_body")
    if response.endpoint == "coins/single/history" and not isinstance(document.get("history"), list):
        raise TransientError(response.endpoint, f"{base_url} sent a history without a list", outcome="broken_body")
    return _fitting(response, document, entries_of(response.endpoint, document), base_url)


def _fitting(response: Response, document: T, entries: int, base_url: str) -> T:
    """The document, if it has no more entries than its request explains."""
    if response.endpoint == "coins/list" and not entries and not response.request.get("offset"):
        raise TransientError(response.endpoint, f"{base_url} sent an empty list of coins", outcome="broken_body")
    most = most_entries(response.endpoint, response.request)
    if most is not None and entries > most:
        reason = f"{base_url} sent {entries:,} entries where {most:,} at most were due"
        raise PermanentError(response.endpoint, reason, outcome="broken_body")
    return document


def _api_error(response: Response, code: int, said: str) -> CallError:
    """The kind of an error by its code: transient, permanent, or one that every further call would get."""
    if code == 402 or (code in (403, 429) and "credit" in said.lower()):
        reason = f"Live Coin Watch says that today's credits are used up ({said}); they are renewed at 00:00 UTC"
        return OutOfCreditsError(response.endpoint, reason, outcome="rejected")
    if code in (401, 403):
        reason = f"Live Coin Watch refused the key ({code}): check LCW_API_KEY"
        return WrongKeyError(response.endpoint, reason, outcome="rejected")
    wait = retry_after_s(response.headers, datetime.now(timezone.utc))
    if code == 429:
        return TransientError(response.endpoint, "too many requests (429)", outcome="rate_limited", retry_after_s=wait)
    if code in (408, 425) or (code >= 500 and code not in (501, 505)):
        return TransientError(response.endpoint, said, outcome="server_error", retry_after_s=wait)
    if "unknown" in said.lower():  # nothing else of the error says so
        return UnknownCodeError(response.endpoint, said, outcome="unknown_code")
    return PermanentError(response.endpoint, said, outcome="rejected")


def _validated(model: type[T], endpoint: str, document: Any) -> T:
    if isinstance(document, Records):
        if document.refused:
            raise PermanentError(endpoint, next(iter(document.refused)), outcome="broken_body")
        return list(document.records)  # type: ignore[return-value]
    try:
        return TypeAdapter(model).validate_python(document)
    except ValidationError as error:
        raise PermanentError(endpoint, complaint(error), outcome="broken_body") from None


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
