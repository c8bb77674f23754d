"""KuCoin Futures: its one public endpoint that this project uses, and what its errors mean.

Source: KuCoin's OpenAPI specification and recorded responses. Public, free and without pages: one response has every
contract. Weight 3 of 2,000 in 30 s an address, as the `gw-ratelimit-*` headers say, if they are sent.
"""

from __future__ import annotations

import re

from lcw_assets.sources.client import SourceClient
from lcw_assets.sources.kucoin_futures.records import Contracts, NoContractsError, read_contracts
from lcw_assets.sources.kucoin_futures.spec import SOURCE
from lcw_assets.transport.errors import CallError, PermanentError, RefusedError, TransientError
from lcw_assets.transport.facts import Response

ENDPOINT = "api/v1/contracts/active"

# The documented code of "too many requests", from the gateway or, without its headers, from an overloaded server.
_TOO_MANY = "429000"
_COUNTRY = "400302"


class KuCoinFutures(SourceClient):
    source = SOURCE

    def contracts(self) -> Contracts:
        """Every contract that can be traded, or soon can. Raises `CallError`."""
        contracts: Contracts = self.fetch(ENDPOINT, {})
        return contracts

    def read(self, response: Response) -> Contracts:
        """A `code` other than 200000 is an error under any HTTP status, 200 included."""
        try:
            contracts = read_contracts(response.text)
        except NoContractsError as error:
            raise self._call_error(response, error) from None
        if status := self.status_error(response):
            raise status
        return contracts

    def _call_error(self, response: Response, error: NoContractsError) -> CallError:
        if error.code == _TOO_MANY or (error.code and response.http_status == 429):
            reason = f"too many requests ({error.code})"
            return TransientError(
                response.endpoint, reason, outcome="rate_limited", retry_after_s=self.wait_s(response)
            )
        if error.code == _COUNTRY:
            return RefusedError(response.endpoint, f"KuCoin refuses this country: {error}", outcome="blocked")
        own = bool(re.fullmatch(r"\d{6}", error.code or ""))
        if status := self.status_error(response, str(error) if error.code else "", own=own):
            return status
        if error.code is None:
            reason = f"{self.client.base_url} sent no list of contracts: {error}"
            return TransientError(response.endpoint, reason, outcome="broken_body")
        if error.code.startswith("5"):
            return TransientError(response.endpoint, str(error), outcome="server_error")
        return PermanentError(response.endpoint, f"KuCoin refuses: {error}", outcome="rejected")
