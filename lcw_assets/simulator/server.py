"""The simulator on a loopback port: in a thread of whoever starts it, so that it ends when its process does."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from lcw_assets.simulator.api import Api
from lcw_assets.simulator.faults import PROFILES, Draw, Fault, Profile
from lcw_assets.simulator.kucoin import Futures
from lcw_assets.simulator.kucoin_api import ENDPOINT as KUCOIN
from lcw_assets.simulator.kucoin_api import KuCoinApi
from lcw_assets.simulator.ledger import Entry, Ledger
from lcw_assets.simulator.market import Market
from lcw_assets.simulator.question import ApiError
from lcw_assets.simulator.replay import Replay

_HTML = b"<!DOCTYPE html><html><head><title>Web server is down</title></head><body>Error</body></html>"


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Simulator:
    """Live Coin Watch on loopback, and KuCoin's futures contracts, of which there are about `contracts`.

    `clock` is asked for the time of each request; `replay` is a folder of recorded answers to serve instead of the
    market; `time_scale` stretches or shrinks the delays of faults. `marked` answers carry a header that says that a
    simulator sent them, which clients with an API key refuse: unmark them to rehearse with a key.
    """

    def __init__(
        self,
        *,
        profile: str | Profile = "none",
        seed: int = 1,
        api_key: str | None = None,
        credits_per_day: int = 10_000,
        contracts: int = 500,
        kucoin_limit: int = 2000,
        replay: Path | None = None,
        ledger_file: Path | None = None,
        clock: Callable[[], datetime] = _now,
        time_scale: float = 1.0,
        marked: bool = True,
    ) -> None:
        self.ledger = Ledger(ledger_file)
        self.clock = clock
        self.profile = PROFILES[profile] if isinstance(profile, str) else profile
        self._seed = seed
        self._api = Api(Market(seed), api_key, credits_per_day)
        self._kucoin = KuCoinApi(Futures(seed, contracts), kucoin_limit)
        self._replay = Replay(replay) if replay else None
        self._time_scale = time_scale
        self._marked = marked
        self._number = 0
        self._turns: dict[tuple[str, bytes], int] = {}
        self._cached: dict[tuple[int, str, bytes], bytes] = {}

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[str]:
        """Serve until the block ends; gives the address. Port 0 takes a free one. Raises `OSError` if it is taken."""
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError as error:
                raise OSError(f"port {port} is not free: {error.strerror}") from None
            config = uvicorn.Config(
                self, http=_ResettableProtocol, log_level="critical", access_log=False, lifespan="off"
            )
            server = uvicorn.Server(config)
            thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
            thread.start()
            while not server.started:
                time.sleep(0.002)
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = server.force_exit = True
                thread.join(timeout=5)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        endpoint = request.url.path.strip("/")
        self._number = number = self._number + 1
        turn = self._turns[endpoint, body] = self._turns.get((endpoint, body), 0) + 1
        fault = self.profile(Draw(self._seed, endpoint, body.decode("latin-1"), number, turn))
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s * self._time_scale)
        now = self.clock()
        status, content, headers = self._content(request, endpoint, body, now, fault)
        digest = _digest(content)
        finished = False
        try:
            if fault.kind == "reset":
                scope["extensions"]["reset"]()
            else:
                await self._response(request, status, content, headers, fault)(scope, receive, send)
                finished = fault.kind not in ("cut", "drip")
        finally:
            entry = Entry(
                number=number,
                at=now,
                endpoint=endpoint,
                request=body.decode("latin-1"),
                status=status,
                fault=fault.kind,
                digest=digest,
                finished=finished,
            )
            self.ledger.write(entry)

    def _content(
        self, request: Request, endpoint: str, body: bytes, now: datetime, fault: Fault
    ) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers."""
        if fault.kind == "html":
            return fault.status, _HTML, {}
        if endpoint == KUCOIN:
            return self._kucoin.answer(request.method, now, fault)
        error = ApiError(fault.status) if fault.kind == "error" else None
        if error is None:
            try:
                return 200, self._good_content(request, endpoint, body, now, fault), {}
            except ApiError as raised:
                error = raised
        return error.code, json.dumps(error.document).encode(), {}

    def _good_content(self, request: Request, endpoint: str, body: bytes, now: datetime, fault: Fault) -> bytes:
        self._api.admit(request.method, endpoint, request.headers, now)
        key = (int(now.timestamp()) // 60, endpoint, body)
        cached = self._cached.get(key)
        if cached is not None and fault.kind == "none":
            return cached
        if fault.kind == "repeated":
            body = _one_page_back(body)
        source = self._replay or self._api
        document = source.answer(endpoint, body, now)
        if fault.kind == "wrong_shape":
            document = {"data": document} if isinstance(document, list) else [document]
        content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        if fault.kind == "truncated":
            return content[: len(content) // 2]
        if fault.kind == "none" and endpoint != "credits":
            self._cached = {old: kept for old, kept in self._cached.items() if old[0] >= key[0] - 1}
            self._cached[key] = content
        return content

    def _response(self, request: Request, status: int, content: bytes, more: dict[str, str], fault: Fault) -> ASGIApp:
        headers = {"content-type": "text/html" if fault.kind == "html" else "application/json; charset=utf-8", **more}
        if self._marked:
            headers["x-lcw-simulator"] = "1"
        if fault.retry_after is not None:
            headers["Retry-After"] = fault.retry_after
        if fault.kind == "drip":
            return StreamingResponse(_drip(content), status, headers)
        if fault.kind == "cut":
            headers["content-length"] = str(len(content))
            return StreamingResponse(_cut(content), status, headers)
        if "gzip" in request.headers.get("accept-encoding", "") and len(content) > 500:
            headers["content-encoding"] = "gzip"
            content = _compressed(content)
        return Response(content, status, headers)


@lru_cache(maxsize=64)
def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=64)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, 1)


def _one_page_back(body: bytes) -> bytes:
    request: dict[str, Any] = json.loads(body) if body.strip() else {}
    if "offset" in request:
        request["offset"] = max(0, int(request["offset"]) - 5)
    return json.dumps(request).encode()


async def _drip(content: bytes) -> Any:
    for place in range(min(len(content), 120)):
        yield content[place : place + 1]
        await asyncio.sleep(1)


async def _cut(content: bytes) -> Any:
    yield content[: len(content) // 2]


class _ResettableProtocol(H11Protocol):
    """Lets an application reset its connection, which ASGI has no word for."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        app = self.app

        def reset() -> None:
            # Lingering for no time makes closing a reset.
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

        async def with_reset(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "extensions": {"reset": reset}}, receive, send)

        self.app = with_reset
