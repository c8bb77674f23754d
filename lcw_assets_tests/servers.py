"""Servers that misbehave below HTTP, where the simulator cannot: real sockets on loopback."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from lcw_assets_tests.patience import PATIENCE_S


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Accept connections and let `talk` deal with each on a thread of its own. Gives the address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_talk, args=(talk, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _talk(talk: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection:
        with contextlib.suppress(OSError):  # the client has gone, which is what these servers are for
            talk(connection)


def read_request(connection: socket.socket) -> bytes:
    """Its head, once all of it has come: closing a connection with something unread resets it, and what was sent may be
    lost on the way.
    """
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return received
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]) and (chunk := connection.recv(65536)):
        body += chunk
    return head


def drip(text: bytes, after: bytes = b"") -> Callable[[socket.socket], None]:
    """Send `after` at once and then `text`, a byte each tenth of a second, for as long as anybody listens."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(after)
        for place in range(len(text)):
            connection.sendall(text[place : place + 1])
            time.sleep(0.1)

    return talk


def silence(connection: socket.socket) -> None:
    """Accept, read, never answer."""
    read_request(connection)
    time.sleep(PATIENCE_S)


def reply(status: str, body: bytes, *headers: str, announced: int | None = None) -> Callable[[socket.socket], None]:
    """Send one response to any request, and close. `announced` is the length that it claims to have."""
    length = len(body) if announced is None else announced
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {length}", "Connection: close", *headers])

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head.encode() + b"\r\n\r\n" + body)

    return talk


@contextmanager
def rewritten(address: str, change: Callable[[str, Any], Any]) -> Iterator[str]:
    """A server before another one. `change` gets the endpoint and each good document, and gives what is answered."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            response = requests.post(address + self.path, data=content, headers=dict(self.headers.items()), timeout=30)
            document = response.json()
            sent = json.dumps(change(self.path.strip("/"), document) if response.ok else document).encode()
            self.send_response(response.status_code)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
