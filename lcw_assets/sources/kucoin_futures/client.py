"""KuCoin Futures: its one public endpoint that this project uses, and what its errors mean.

Source: KuCoin's OpenAPI specification and recorded responses. Public, free and without pages: one response has every
contract. Weight 3 of 2,000 in 30 s an address, as the `gw-ratelimit-*` headers say, if they are sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lcw_assets.sources.client import SourceClient
from lcw_assets.sources.kucoin_futures.records import Contracts, NoContractsError, read_contracts
from lcw_assets.sources.kucoin_futures.spec import SOURCE
from lcw_assets.transport.errors import CallError, PermanentError, TransientError
from lcw_assets.transport.facts import Response

ENDPOINT = "api/v1/contracts/active"

# The documented code of "too many requests", from the gateway or, without its headers, from an overloaded server.
_TOO_MANY = "429000"


class KuCoinFutures(SourceClient):
    """When KuCoin says that no call is left, other processes wait as well."""

    source = SOURCE

    def contracts(self) -> Contracts:
        """Every contract that can be traded, or soon can. Raises `CallError`."""
        contracts: Contracts = self.fetch(ENDPOINT, {})
        return contracts

    def read(self, response: Response) -> Contracts:
        """A `code` other than 200000 is an error under any HTTP status, 200 included."""
        pause_s = quiet_s(response.headers)
        if pause_s:
            self.client.pause(pause_s)
        try:
            contracts = read_contracts(response.text)
        except NoContractsError as error:
            raise self._call_error(response, error) from None
        if status := self.status_error(response):
            raise status
        return contracts

    def _call_error(self, response: Response, error: NoContractsError) -> CallError:
        if error.code == _TOO_MANY or (error.code and response.http_status == 429):
            reason, wait = f"too many requests ({error.code})", quiet_s(response.headers)
            return TransientError(response.endpoint, reason, outcome="rate_limited", retry_after_s=wait)
        own = bool(re.fullmatch(r"\d{6}", error.code or ""))
        if status := self.status_error(response, str(error) if error.code else "", own=own):
            return status
        if error.code is None:
            reason = f"{self.client.base_url} sent no list of contracts: {error}"
            return TransientError(response.endpoint, reason, outcome="broken_body")
        if error.code.startswith("5"):
            return TransientError(response.endpoint, str(error), outcome="server_error")
        return PermanentError(response.endpoint, f"KuCoin refuses: {error}", outcome="rejected")


def quiet_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until the next call may come, by the gateway's headers; null if they are missing, odd, or allow one."""
    try:
        left, reset_ms = float(headers["gw-ratelimit-remaining"]), float(headers["gw-ratelimit-reset"])
    except (KeyError, ValueError):
        return None
    return reset_ms / 1000 if left <= 0 and 0 < reset_ms <= 60_000 else None
