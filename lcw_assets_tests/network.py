"""What stands between here and a server: TLS with certificates of every kind, and proxies. All of it on loopback."""

from __future__ import annotations

import functools
import os
import socket
import ssl
import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import trustme

Talk = Callable[[socket.socket], None]


@functools.cache
def authority() -> trustme.CA:
    """One that nobody trusts, unless told to: making its keys takes a moment."""
    return trustme.CA()


def bundle(folder: Path, *others: trustme.CA) -> Path:
    """A file with the certificate of `authority`, or of others."""
    file = folder / "ca.pem"
    file.write_bytes(b"".join(each.cert_pem.bytes() for each in others or (authority(),)))
    return file


def certificate(*hosts: str, days_from: float = -1, days_to: float = 1) -> trustme.LeafCert:
    """One by `authority`, valid from and to so many days from now."""
    now = datetime.now(timezone.utc)
    return authority().issue_cert(
        *hosts or ("127.0.0.1", "localhost"),
        not_before=now + timedelta(days=days_from),
        not_after=now + timedelta(days=days_to),
    )


def over_tls(talk: Talk, shown: trustme.LeafCert | None = None, *, asks_for_one: bool = False) -> Talk:
    """The same within TLS. `asks_for_one`: the client must show a certificate as well."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (shown or certificate()).configure_cert(context)
    if asks_for_one:
        context.verify_mode = ssl.CERT_REQUIRED
        authority().configure_trust(context)

    def secured(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as wrapped:
            try:
                wrapped.do_handshake()
            except ssl.SSLError:
                # Closing a connection with something unread resets it, and the alert is lost on its way.
                while os.read(wrapped.fileno(), 65536):
                    pass
                return
            talk(wrapped)

    return secured


def relay(port: int) -> Talk:
    """Whatever comes goes on to this port, and back."""

    def talk(connection: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as onward:
            back = threading.Thread(target=_copy, args=(onward, connection), daemon=True)
            back.start()
            _copy(connection, onward)
            back.join()

    return talk


def proxy(behind: Talk, heads: list[bytes]) -> Talk:
    """An HTTP proxy. `behind` is what every host is, and `heads` are what clients requested."""

    def talk(connection: socket.socket) -> None:
        head = connection.recv(65536, socket.MSG_PEEK)
        heads.append(head)
        if head.startswith(b"CONNECT "):
            connection.recv(len(head))
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        behind(connection)

    return talk


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the other side has gone
