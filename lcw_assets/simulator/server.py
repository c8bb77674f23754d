"""The simulator on a loopback port: in a thread of the process that starts it, so that both end together."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import socket
import struct
import threading
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import uvicorn
from starlette import requests, responses
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from lcw_assets.simulator.discovery import discover, profiles, route
from lcw_assets.simulator.faults import GENERAL, Draw, Fault, Profile
from lcw_assets.simulator.ledger import Entry, Ledger
from lcw_assets.simulator.market import Market
from lcw_assets.simulator.provider import Provider, Request, Response, to_json

_HTML = b"<!DOCTYPE html><html><head><title>Web server is down</title></head><body>Error</body></html>"


def _now() -> datetime:
    return datetime.now(timezone.utc)


class Simulator:
    """Every provider on loopback, over one market; `options` are those that the providers declare.

    `clock` gives the time of each request; `time_scale` stretches or shrinks the delays of faults. `marked` responses
    have a header that says that a simulator sent them. Clients with an API key refuse these: unmark them to test with
    a key.
    """

    def __init__(
        self,
        *,
        profile: str | Profile = "none",
        seed: int = 1,
        ledger_file: Path | None = None,
        clock: Callable[[], datetime] = _now,
        time_scale: float = 1.0,
        marked: bool = True,
        **options: Any,
    ) -> None:
        self.ledger = Ledger(ledger_file)
        self.clock = clock
        self.providers = discover()
        self.profile = profiles(self.providers)[profile] if isinstance(profile, str) else profile
        known = {option.name: one for one in self.providers for option in one.options}
        for name in options:
            if name not in known:
                raise TypeError(f"the simulator has no option {name}: expected one of {', '.join(sorted(known))}")
        market = Market(seed)
        self._services = {
            one.name: one.service(market, **{name: options[name] for name in options if known[name] is one})
            for one in self.providers
        }
        self._kinds = GENERAL.union(*(one.faults for one in self.providers))
        self._seed = seed
        self._time_scale = time_scale
        self._marked = marked
        self._number = 0
        self._turns: Counter[tuple[str, str, str]] = Counter()

    def address_of(self, provider: str, server: str) -> str:
        """Where a client reaches a provider, on the address from `serve`."""
        for one in self.providers:
            if one.name == provider:
                return one.address(server)
        names = ", ".join(one.name for one in self.providers)
        raise ValueError(f"the simulator has no provider {provider!r}: expected one of {names}")

    @contextmanager
    def serve(self, port: int = 0) -> Iterator[str]:
        """Serve until the block ends; yields the address. Port 0 takes a free one. Raises `OSError` if it is taken."""
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
        incoming = requests.Request(scope, receive)
        body = await incoming.body()
        path, query = incoming.url.path.strip("/"), incoming.url.query
        content = body.decode("latin-1") or query
        provider, endpoint = route(self.providers, path) or (None, path)
        self._number = number = self._number + 1
        try:
            fault = self._fault(provider, endpoint, content, number) if provider else Fault()
            if fault.delay_s:
                await asyncio.sleep(fault.delay_s * self._time_scale)
            now = self.clock()
            request = Request(incoming.method, endpoint, query, body, incoming.headers, now)
            response = self._response(provider, request, fault)
        except Exception as error:  # noqa: BLE001 - of a profile or provider: uvicorn would send a 500 and print nothing
            traceback.print_exc()
            now, fault = self.clock(), Fault()
            text = f"the simulator itself failed: {type(error).__name__}: {error}"
            response = Response(500, text.encode(), {"content-type": "text/plain"})
        entry = Entry(
            number=number,
            at=now,
            provider=provider.name if provider else "",
            endpoint=endpoint,
            request=content,
            status=response.status,
            fault=fault.kind,
            usable=response.usable and fault.kind not in GENERAL - {"none"},
            digest=_digest(response.body),
            finished=False,
        )
        try:
            if fault.kind == "reset":
                scope["extensions"]["reset"]()
            else:
                accepts = incoming.headers.get("accept-encoding", "")
                await self._sent(response, fault, accepts)(scope, receive, send)
                entry = replace(entry, finished=fault.kind not in ("cut", "drip"))
        finally:
            self.ledger.write(entry)

    def _fault(self, provider: Provider, endpoint: str, content: str, number: int) -> Fault:
        """The fault of the profile for a request. Another provider's own kind is no fault here."""
        self._turns[provider.name, endpoint, content] += 1
        turn = self._turns[provider.name, endpoint, content]
        fault = self.profile(Draw(self._seed, endpoint, content, number, turn, provider.name))
        if fault.kind not in self._kinds:
            raise ValueError(f"there is no fault {fault.kind!r}: expected one of {', '.join(sorted(self._kinds))}")
        return fault if fault.kind in GENERAL | provider.faults else replace(fault, kind="none")

    def _response(self, provider: Provider | None, request: Request, fault: Fault) -> Response:
        if provider is None:
            paths = sorted(path for one in self.providers for path in (one.name, *one.roots))
            reason = f"no provider serves {request.path!r}: expected a path under {', '.join(paths)}"
            return Response(404, to_json({"error": {"code": 404, "status": "Not Found", "description": reason}}))
        service = self._services[provider.name]
        if fault.kind == "html":
            return Response(fault.status, _HTML, {"content-type": "text/html"})
        if fault.kind == "error":
            return service.error(fault.status)
        response = service.respond(request, fault.kind if fault.kind in provider.faults else "none")
        if fault.kind == "truncated" and response.status == 200:
            return replace(response, body=response.body[: len(response.body) // 2])
        return response

    def _sent(self, response: Response, fault: Fault, accepts: str) -> ASGIApp:
        """The response as it goes over the wire."""
        headers = {"content-type": "application/json; charset=utf-8", **response.headers}
        if self._marked:
            headers["x-lcw-simulator"] = "1"
        if fault.retry_after is not None:
            headers["Retry-After"] = fault.retry_after
        body = response.body
        if fault.kind == "drip":
            return responses.StreamingResponse(_drip(body), response.status, headers)
        if fault.kind == "cut":
            headers["content-length"] = str(len(body))
            return responses.StreamingResponse(_cut(body), response.status, headers)
        if "gzip" in accepts and len(body) > 500:
            headers["content-encoding"] = "gzip"
            body = _compressed(body)
        return responses.Response(body, response.status, headers)


@lru_cache(maxsize=64)
def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@lru_cache(maxsize=64)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, 1)


async def _drip(content: bytes) -> AsyncIterator[bytes]:
    for place in range(min(len(content), 120)):
        yield content[place : place + 1]
        await asyncio.sleep(1)


async def _cut(content: bytes) -> AsyncIterator[bytes]:
    yield content[: len(content) // 2]


class _ResettableProtocol(H11Protocol):
    """Lets an application reset its connection, which ASGI cannot."""

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
