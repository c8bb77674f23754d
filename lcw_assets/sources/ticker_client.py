"""What the clients of all sources of prices share: one call for all prices, one for the list of markets, and what
their errors amount to.

Each vendor has codes of its own, many of them under HTTP 200. What matters is which of a few things they say: too many
requests, a ban, another country, maintenance, no such market, a fault of the vendor's, or a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from lcw_assets.sources.client import SourceClient, says_maintenance
from lcw_assets.sources.markets import Markets, Reader
from lcw_assets.sources.tickers import NoTickersError, Tickers, TickersReader, Wanted
from lcw_assets.transport.errors import CallError, PermanentError, RefusedError, TransientError
from lcw_assets.transport.facts import Response

Meaning = Literal["rate_limited", "ban", "country", "maintenance", "unknown_market", "server_error", "rejected"]

_COUNTRY = re.compile(r"\bcountr(y|ies)\b|\bregions?\b|restricted location|jurisdiction", re.IGNORECASE)
_TOO_FREQUENT = re.compile(r"too (frequent|many)", re.IGNORECASE)


class BanError(TransientError):
    """Requests from this address are refused for a while, because there were too many."""


class CountryError(RefusedError):
    """The source refuses the country or network that requests come from, so every further one as well."""


class TickerClient(SourceClient):
    """A source with one endpoint for the tickers of all markets, and one for the list of these markets.

    A source names both, the functions that read their responses, and what its `codes` mean. One that lets a request
    name its markets overrides `request_for`; where it refuses all of them for a single unknown one, the call is made
    once more, for every market.
    """

    endpoint: ClassVar[str]
    read_tickers: ClassVar[TickersReader]
    wanted: Wanted = None
    list_endpoint: ClassVar[str]
    list_request: ClassVar[Mapping[str, Any]] = {}
    read_markets: ClassVar[Reader]
    # Bytes that the list may have, where that is more than the tickers may.
    largest_list: ClassVar[int] = 0
    codes: ClassVar[Mapping[str, Meaning]] = {}
    # Seconds that a ban lasts at least, if the response does not say it.
    ban_s: ClassVar[float] = 120.0

    @classmethod
    def request_for(cls, markets: Sequence[str]) -> dict[str, Any]:  # noqa: ARG003
        """The parameters that request these markets; without parameters, all that there are."""
        return {}

    def tickers(self, markets: Sequence[str] = ()) -> Tickers:
        """Of these markets at least; of none: of all. Raises `CallError`."""
        found: Tickers = self.fetch(self.endpoint, self.request_for(markets))
        return found

    def markets(self) -> Markets:
        """The list of its markets. Raises `CallError`."""
        found: Markets = self.fetch(self.list_endpoint, dict(self.list_request))
        return found

    def largest_body(self, endpoint: str, request: dict[str, Any]) -> int:
        usual = super().largest_body(endpoint, request)
        return max(usual, self.largest_list) if endpoint == self.list_endpoint else usual

    def fetch(self, endpoint: str, request: dict[str, Any]) -> Any:
        """`Tickers`, or `Markets` from the endpoint of the list. Raises `CallError`."""
        if endpoint == self.list_endpoint:
            return super().fetch(endpoint, request)
        everything = self.request_for(())
        try:
            return super().fetch(endpoint, request)
        except PermanentError as error:
            if error.outcome != "unknown_code" or request == everything:
                raise
        return super().fetch(endpoint, everything)

    def read(self, response: Response) -> Tickers | Markets:
        found: Tickers | Markets
        try:
            if response.endpoint == self.list_endpoint:
                found = type(self).read_markets(response.text)
            else:
                found = type(self).read_tickers(response.text, self.wanted)
        except NoTickersError as error:
            raise self._call_error(response, error) from None
        if status := self.status_error(response):
            raise status
        return found

    def status_error(self, response: Response, text: str = "", *, own: bool = False) -> CallError | None:
        """Tells apart the refusals that others take for a wrong key: of a country, and of an address for a while."""
        status = response.http_status
        page = f"{text} {response.text[:2_000]}"
        if status == 451 or (status == 403 and _COUNTRY.search(page)):
            return self._error(response, "country", text)
        if status == 418 or (status == 403 and _TOO_FREQUENT.search(page)):
            return self._error(response, "ban", text)
        if status == 429:
            return super().status_error(response, text) if not own else self._error(response, "rate_limited", text)
        return super().status_error(response, text, own=own)

    def _call_error(self, response: Response, error: NoTickersError) -> CallError:
        """Of a response without tickers or markets: by the vendor's code, the status, or what is wrong with it."""
        text, code = str(error), error.code
        meaning = self.codes.get(code or "")
        if meaning in (None, "server_error") and self._is_under_maintenance(response, text if code else ""):
            meaning = "maintenance"
        if meaning:
            return self._error(response, meaning, text if code else f"HTTP {response.http_status}")
        if status := self.status_error(response, text if code else "", own=code is not None):
            return status
        if code is None:
            records = "markets" if response.endpoint == self.list_endpoint else "tickers"
            reason = f"{self.client.base_url} sent no {records}: {text}"
            return TransientError(response.endpoint, reason, outcome="broken_body")
        return self._error(response, "rejected", text)

    @staticmethod
    def _is_under_maintenance(response: Response, text: str) -> bool:
        """By the vendor's own words, or those of a page, which may come under any status."""
        is_page = response.text.lstrip()[:1] == "<" and (response.http_status == 200 or response.http_status >= 500)
        return says_maintenance(text) or (is_page and says_maintenance(response.text))

    def _error(self, response: Response, meaning: Meaning, text: str) -> CallError:
        endpoint, title = response.endpoint, self.source.title
        text = text or f"HTTP {response.http_status}"
        wait = self.wait_s(response)
        match meaning:
            case "rate_limited":
                return TransientError(
                    endpoint, f"too many requests ({text})", outcome="rate_limited", retry_after_s=wait
                )
            case "ban":
                reason = f"{title} has banned this address for a while, because of too many requests ({text})"
                return BanError(endpoint, reason, outcome="banned", retry_after_s=wait or self.ban_s)
            case "country":
                reason = f"{title} refuses the country or network that this request comes from ({text})"
                return CountryError(endpoint, reason, outcome="blocked")
            case "maintenance":
                reason = f"{title} is under maintenance ({text})"
                return TransientError(endpoint, reason, outcome="maintenance", retry_after_s=wait)
            case "server_error":
                return TransientError(endpoint, text, outcome="server_error", retry_after_s=wait)
            case "unknown_market":
                return PermanentError(endpoint, f"{title} has no such market: {text}", outcome="unknown_code")
            case "rejected":
                return PermanentError(endpoint, f"{title} refuses: {text}", outcome="rejected")
