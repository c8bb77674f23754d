"""KuCoin Futures: its one public endpoint that this project asks, and what its errors mean.

Source: KuCoin's OpenAPI specification and recorded answers. Public, free and without pages: one answer has every
contract. Weight 3 of 2,000 in 30 s an address, which the `gw-ratelimit-*` headers tell, where they are sent at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lcw_assets.sources.gateway import gateway_error
from lcw_assets.sources.kucoin_futures.records import Contracts, NoContractsError, read_contracts
from lcw_assets.sources.kucoin_futures.spec import SOURCE
from lcw_assets.transport.call import Call
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, PermanentError, TransientError
from lcw_assets.transport.facts import Response

ENDPOINT = "api/v1/contracts/active"
SIMULATOR_HEADER = "x-lcw-simulator"

# The documented code of "too many requests", from the gateway or, without its headers, from an overloaded server.
_TOO_MANY = "429000"


class NotKuCoinError(PermanentError):
    """Whoever answers at `KUCOIN_FUTURES_BASE_URL`, it is not KuCoin, or a simulator where the real one was meant."""


class KuCoinFutures:
    """The API, for as long as `deadline` lasts.

    `simulated` says that a simulator is meant to respond: where it is not and one does, its responses are refused. When
    KuCoin says that no call is left, other processes wait as well. `largest_body` is in bytes.
    """

    def __init__(
        self,
        client: Client,
        *,
        deadline: Deadline,
        simulated: bool = False,
        largest_body: int = SOURCE.largest_body,
    ) -> None:
        self._client = client
        self._deadline = deadline
        self._simulated = simulated
        self._largest_body = largest_body

    def contracts(self) -> Contracts:
        """Every contract that can be traded, or soon can. Raises `CallError` when it brings no answer."""
        return self._client.call(Call("GET", ENDPOINT, {}, self._deadline, self._read, self._largest_body))

    def _read(self, answer: Response) -> Contracts:
        if SIMULATOR_HEADER in answer.headers and not self._simulated:
            raise NotKuCoinError(
                answer.endpoint,
                f"{self._client.base_url} is a simulator, and in live mode its responses would be stored as real ones: "
                "set LCW_MODE=demo, or KUCOIN_FUTURES_BASE_URL to nothing or to KuCoin",
                outcome="rejected",
            )
        pause_s = quiet_s(answer.headers)
        if pause_s:
            self._client.pause(pause_s)
        return read_answer(answer, self._client.base_url)


def quiet_s(headers: Mapping[str, str]) -> float | None:
    """Seconds until the next call may come, by the gateway's headers; null if they are missing, odd, or allow one."""
    try:
        left, reset_ms = float(headers["gw-ratelimit-remaining"]), float(headers["gw-ratelimit-reset"])
    except (KeyError, ValueError):
        return None
    return reset_ms / 1000 if left <= 0 and 0 < reset_ms <= 60_000 else None


def read_answer(answer: Response, base_url: str) -> Contracts:
    """The contracts of an answer. Raises the `CallError` that the answer amounts to if it has none.

    A `code` other than 200000 is an error under any HTTP status, 200 included.
    """
    try:
        contracts = read_contracts(answer.text)
    except NoContractsError as error:
        raise _call_error(answer, base_url, error) from None
    if answer.http_status != 200:
        raise _status_error(answer, base_url, f"HTTP {answer.http_status}")
    return contracts


def _call_error(answer: Response, base_url: str, error: NoContractsError) -> CallError:
    own = re.fullmatch(r"\d{6}", error.code or "")
    if not own and (foreign := gateway_error(answer, base_url, "KuCoin")):
        return foreign
    if error.code == _TOO_MANY or answer.http_status == 429:
        return TransientError(
            answer.endpoint,
            f"too many requests ({error.code or answer.http_status})",
            outcome="rate_limited",
            retry_after_s=quiet_s(answer.headers),
        )
    if answer.http_status != 200:
        return _status_error(answer, base_url, str(error) if error.code else f"HTTP {answer.http_status}")
    if error.code is None:
        return TransientError(answer.endpoint, f"{base_url} sent no list of contracts: {error}", outcome="broken_body")
    if error.code.startswith("5"):
        return TransientError(answer.endpoint, str(error), outcome="server_error")
    return PermanentError(answer.endpoint, f"KuCoin refuses: {error}", outcome="rejected")


def _status_error(answer: Response, base_url: str, said: str) -> CallError:
    status = answer.http_status
    if status in (408, 425) or (status >= 500 and status not in (501, 505)):
        return TransientError(answer.endpoint, said, outcome="server_error")
    if status in (404, 405, 501) or 200 <= status < 400:
        reason = f"{base_url} answers with HTTP {status}: is KUCOIN_FUTURES_BASE_URL right?"
        return NotKuCoinError(answer.endpoint, reason, outcome="rejected")
    return PermanentError(answer.endpoint, f"KuCoin refuses: {said}", outcome="rejected")
