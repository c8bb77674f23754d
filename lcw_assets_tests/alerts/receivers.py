"""Whoever takes alerts: a webhook and a mail server, real ones on loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from lcw_assets_tests.patience import PATIENCE_S


@dataclass
class Webhook:
    """What it was sent, and the HTTP status that it answers with."""

    port: int = 0
    status: int = 200
    received: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def webhook(status: int = 200) -> Iterator[Webhook]:
    hook = Webhook(status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if hook.status == 200:
                hook.received.append(sent)
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Mailbox:
    """What came. `login`, `recipient` and `data` are what the server says instead of yes; `recipient` to b@ alone."""

    port: int = 0
    login: str | None = None
    recipient: str | None = None
    data: str | None = None
    received: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802
        self, _server: object, _session: object, envelope: Any, address: str, _options: object
    ) -> str:
        if self.recipient and address.startswith("b@"):
            return self.recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        if self.data:
            return self.data
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        return "250 taken"


class _Controller(Controller):
    """On a socket that is there already: told a port, it may find that somebody else has taken it by then."""

    def __init__(self, mailbox: Mailbox, listener: socket.socket) -> None:
        host, port = listener.getsockname()
        super().__init__(
            mailbox,
            hostname=host,
            port=port,
            ready_timeout=PATIENCE_S,
            authenticator=lambda *_: AuthResult(success=False, handled=False, message=mailbox.login),
            auth_require_tls=False,
        )
        self._listener = listener

    def _create_server(self) -> Any:
        return self.loop.create_server(self._factory_invoker, sock=self._listener)


@contextmanager
def mail_server(**says: str) -> Iterator[Mailbox]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mailbox = Mailbox(**says)  # type: ignore[arg-type]
        mailbox.port = listener.getsockname()[1]
        controller = _Controller(mailbox, listener)
        controller.start()
        try:
            yield mailbox
        finally:
            controller.stop()


@contextmanager
def closed_port() -> Iterator[int]:
    """A port that refuses connections, and that nobody else can take meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
