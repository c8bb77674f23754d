"""Responses that are kept: several loads cost one call, and what has not changed costs no body."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.transport.cache import Kept as KeptResponse
from lcw_assets.transport.cache import ResponseCache, unpack
from lcw_assets.transport.call import Call
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, TransientError
from lcw_assets.transport.facts import Response
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.servers import raw_server, read_request
from lcw_assets_tests.transport.test_client import LONG, Kept, read_text

SECRET = "a-key-that-nobody-guesses-0123456789"


class Server:
    """Sends `body` with its `etag`, and a 304 to who has that one; counts, and keeps the heads of requests."""

    def __init__(self, body: str = "[1]", etag: str | None = '"one"', modified: str | None = None) -> None:
        self.body, self.etag, self.modified = body, etag, modified
        self.heads: list[str] = []
        self.always_304 = False

    def __call__(self, connection: socket.socket) -> None:
        head = read_request(connection).decode()
        self.heads.append(head)
        headers = f"ETag: {self.etag}\r\n" if self.etag else ""
        headers += f"Last-Modified: {self.modified}\r\n" if self.modified else ""
        known = re.search(r"(?i)if-none-match: ([^\r]*)", head)
        since = re.search(r"(?i)if-modified-since: ([^\r]*)", head)
        same = (known and known[1] == self.etag) or (not known and since and since[1] == self.modified)
        if same or self.always_304:
            connection.sendall(f"HTTP/1.1 304 Not Modified\r\n{headers}Connection: close\r\n\r\n".encode())
            return
        body = self.body.encode()
        head = f"HTTP/1.1 200 OK\r\n{headers}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)


@contextmanager
def serving(server: Server) -> Iterator[str]:
    with raw_server(server) as address:
        yield address


class Clock:
    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return datetime.now(timezone.utc).timestamp() + self.ahead_s


def fetch(
    address: str,
    cache: ResponseCache | None,
    sink: Kept,
    *,
    lifetime_s: float | None = None,
    read: Callable[[Response], Any] = read_text,
    method: Any = "GET",
    endpoint: str = "ticker",
    secret: str | None = SECRET,
    attempts: int = 1,
    source: str = "test",
) -> Any:
    client = Client(
        address,
        source=source,
        sink=sink,
        timeouts=LONG,
        secret=secret,
        headers={"x-api-key": secret} if secret else {},
        cache=cache,
        retry=RetryPolicy(attempts=attempts, first_s=0.01),
    )
    with_lifetime = Call(method, endpoint, {"of": "BTC"}, Deadline.after(PATIENCE_S), read, lifetime_s=lifetime_s)
    try:
        return client.call(with_lifetime)
    finally:
        client.close()


def test_within_its_lifetime_several_loads_cost_one_call(tmp_path: Path) -> None:
    server, clock, sink = Server(etag=None), Clock(), Kept()
    with serving(server) as address:
        for _ in range(3):
            cache = ResponseCache(tmp_path, clock=clock)  # another process has nothing but the folder
            assert fetch(address, cache, sink, lifetime_s=30) == "[1]"
        assert (len(server.heads), len(sink.attempts)) == (1, 1)
        assert [response.origin for response in sink.responses] == ["fresh", "cached", "cached"]
        first, *later = sink.responses
        for one in later:
            assert (one.received_at, one.requested_at, one.text, one.http_status, one.bytes) == (
                *(first.received_at, first.requested_at, "[1]", 200, 0),
            )
        clock.ahead_s = 31
        server.body = "[2]"
        assert fetch(address, ResponseCache(tmp_path, clock=clock), sink, lifetime_s=30) == "[2]"
    assert (len(server.heads), len(sink.attempts), sink.responses[-1].origin) == (2, 2, "fresh")


def test_another_request_source_server_or_key_has_its_own(tmp_path: Path) -> None:
    server, sink, cache = Server(), Kept(), ResponseCache(tmp_path)
    ways: list[dict[str, Any]] = [
        *({}, {"endpoint": "book"}, {"source": "other"}, {"secret": "another-key-0123456789012345"}, {"secret": None}),
        {"method": "POST"},
    ]
    with serving(server) as address, serving(server) as other:
        for way in ways:
            fetch(address, cache, sink, lifetime_s=30, **way)
        fetch(other, cache, sink, lifetime_s=30)
        assert [response.origin for response in sink.responses] == ["fresh"] * 7
        for way in ways:
            fetch(address, cache, sink, lifetime_s=30, **way)
    assert len(server.heads) == 7
    assert len(list(tmp_path.iterdir())) == 7  # one file for each, however often it is written


@pytest.mark.parametrize(
    ("etag", "modified", "sent"),
    [
        ('"one"', None, 'if-none-match: "one"'),
        ('W/"one"', "Sat, 28 Nov 2026 12:00:00 GMT", 'if-none-match: w/"one"'),
        (None, "Sat, 28 Nov 2026 12:00:00 GMT", "if-modified-since: sat, 28 nov 2026 12:00:00 gmt"),
    ],
)
def test_what_has_not_changed_is_not_sent_again(
    tmp_path: Path, etag: str | None, modified: str | None, sent: str
) -> None:
    server, sink, cache = Server("[1]" * 100, etag, modified), Kept(), ResponseCache(tmp_path)
    with serving(server) as address:
        assert fetch(address, cache, sink) == fetch(address, cache, sink) == server.body
        assert sent in server.heads[1].lower()
        assert "if-" not in server.heads[0].lower()
        server.body, server.etag, server.modified = "[2]", '"two"', None
        assert fetch(address, cache, sink) == "[2]"
    facts = [(fact.outcome, fact.http_status, fact.bytes) for fact in sink.attempts]
    assert facts == [("ok", 200, 300), ("ok", 304, 0), ("ok", 200, 3)]
    assert [response.origin for response in sink.responses] == ["fresh", "unchanged", "fresh"]
    first, second, _ = sink.responses
    assert (second.http_status, second.text) == (200, first.text)
    assert second.received_at > first.received_at


def test_a_confirmed_response_lives_as_long_as_a_new_one(tmp_path: Path) -> None:
    server, clock, sink = Server(), Clock(), Kept()
    cache = ResponseCache(tmp_path, clock=clock)
    with serving(server) as address:
        fetch(address, cache, sink, lifetime_s=1000)
        [file] = tmp_path.iterdir()
        kept = unpack(file.read_bytes(), file.stem)
        assert kept
        old = replace(kept, received_at=kept.received_at - timedelta(seconds=1001))
        cache.put(file.stem, old)
        fetch(address, cache, sink, lifetime_s=1000)
        fetch(address, cache, sink, lifetime_s=1000)
    assert [response.origin for response in sink.responses] == ["fresh", "unchanged", "cached"]


def test_a_post_is_not_conditional_and_without_a_lifetime_not_kept(tmp_path: Path) -> None:
    server, sink, clock = Server(), Kept(), Clock()
    cache = ResponseCache(tmp_path, clock=clock)
    with serving(server) as address:
        fetch(address, cache, sink, method="POST")
        assert not list(tmp_path.iterdir())
        fetch(address, cache, sink, method="POST", lifetime_s=30)
        clock.ahead_s = 31
        fetch(address, cache, sink, method="POST", lifetime_s=30)
    assert len(server.heads) == 3
    assert not any("if-none-match" in head.lower() for head in server.heads)


def test_without_a_cache_nothing_is_conditional(tmp_path: Path) -> None:
    server, sink = Server(), Kept()
    with serving(server) as address:
        for _ in range(2):
            fetch(address, None, sink, lifetime_s=30)
    assert len(server.heads) == 2 and "if-none-match" not in server.heads[1].lower()


def test_a_304_without_a_kept_response_is_an_error_that_is_tried_again(tmp_path: Path) -> None:
    server, sink = Server(), Kept()
    server.always_304 = True

    def then(response: Response) -> str:
        return read_text(response)

    with serving(server) as address, pytest.raises(TransientError, match=r"nothing has changed \(304\)") as raised:
        fetch(address, ResponseCache(tmp_path), sink, read=then, attempts=2)
    assert raised.value.outcome == "server_error"
    assert [(fact.outcome, fact.http_status) for fact in sink.attempts] == [("server_error", 304)] * 2
    assert not sink.responses


def test_only_what_is_accepted_is_kept_and_what_is_not_accepted_any_more_goes(tmp_path: Path) -> None:
    server, sink, cache = Server(), Kept(), ResponseCache(tmp_path)

    def reject(response: Response) -> str:
        raise TransientError(response.endpoint, "it has no tickers", outcome="broken_body")

    def newer(response: Response) -> str:
        if response.text != "[2]":
            raise TransientError(response.endpoint, "it is of the old form", outcome="broken_body")
        return response.text

    with serving(server) as address:
        with pytest.raises(CallError):
            fetch(address, cache, sink, lifetime_s=30, read=reject)
        assert not list(tmp_path.iterdir())
        fetch(address, cache, sink, lifetime_s=30)
        server.body = "[2]"  # a server whose ETag does not tell
        assert fetch(address, cache, sink, lifetime_s=30, read=newer) == "[2]"  # the kept one does not serve
        server.body = "[1]"
        ResponseCache(tmp_path).remove(next(tmp_path.iterdir()).stem)
        fetch(address, cache, sink)
        server.body = "[2]"
        assert fetch(address, cache, sink, read=newer, attempts=2) == "[2]"  # nor the one that a 304 confirms
    assert [fact.outcome for fact in sink.attempts][-2:] == ["server_error", "ok"]
    assert "if-none-match" not in server.heads[-1].lower()


def test_the_secret_is_never_in_it(tmp_path: Path) -> None:
    """Neither sent back in a body, nor in an ETag."""
    sink, cache = Kept(), ResponseCache(tmp_path)
    for server in (Server(f'["{SECRET}"]'), Server(etag=f'"{SECRET}"')):
        with serving(server) as address:
            fetch(address, cache, sink, lifetime_s=30)
            fetch(address, cache, sink, lifetime_s=30)
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        kept = unpack(content, file.stem)
        assert kept
        assert SECRET.encode() not in content and SECRET not in kept.text and SECRET not in str(kept.validators)
        assert SECRET not in file.name


@pytest.mark.parametrize(
    "how", ["future", "cut", "foreign", "flipped", "another time", "empty", "folder", "renamed", "another version"]
)
def test_what_cannot_be_read_costs_a_request_and_no_more(tmp_path: Path, how: str) -> None:
    server, sink, clock = Server(), Kept(), Clock()
    cache = ResponseCache(tmp_path, clock=clock)
    with serving(server) as address:
        fetch(address, cache, sink, lifetime_s=30)
        [file] = tmp_path.iterdir()
        content = file.read_bytes()
        digit = content.index(b'"requested_at":') + len(b'"requested_at":') + 1
        damaged = {
            "cut": content[: len(content) // 2],
            "foreign": b"GIF89a" + content,
            "flipped": content[:-1] + bytes([content[-1] ^ 1]),
            "another time": content[:digit] + bytes([content[digit] ^ 1]) + content[digit + 1 :],
            "empty": b"",
            "another version": b"rch9" + content[4:],
        }
        if how == "future":
            clock.ahead_s = -60  # the clock was set back
        elif how == "folder":
            file.unlink()
            file.mkdir()
        elif how == "renamed":
            fetch(address, cache, sink, lifetime_s=30, endpoint="book")
            [other] = set(tmp_path.iterdir()) - {file}
            file.write_bytes(other.read_bytes())
        else:
            file.write_bytes(damaged[how])
        before = len(server.heads)
        assert fetch(address, cache, sink, lifetime_s=30) == "[1]"
        assert len(server.heads) == before + 1
        assert "if-none-match" not in server.heads[-1].lower()
    assert {fact.outcome for fact in sink.attempts} == {"ok"}


@given(st.binary(max_size=300))
def test_of_any_bytes_nothing_is_read(content: bytes) -> None:
    assert unpack(content, "key") is None


def sendable(tag: str) -> bool:
    return bool(tag) and tag.isascii() and tag.isprintable() and tag == tag.strip()


AT = datetime(2026, 11, 28, 12, tzinfo=timezone.utc)
GOOD = KeptResponse(AT, AT, {"etag": '"1"'}, "[1]", zlib.compress(b"[1]", 1)).pack("key")


@given(
    st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.lists(st.integers()), st.just({})),
    st.sampled_from(["key", "requested_at", "received_at", "validators", "etag", "body"]),
)
def test_nor_of_a_file_whose_sum_is_right_and_whose_content_is_not(value: Any, field: str) -> None:
    import json
    import struct

    head: dict[str, Any] = {"key": "key", "requested_at": 1.0, "received_at": 1.0, "validators": {"etag": '"1"'}}
    body = zlib.compress(b"[1]", 1)
    if field == "body":
        body = repr(value).encode()
    elif field == "etag":
        head["validators"] = {"etag": value}
    else:
        head[field] = value
    rest = (text := json.dumps(head).encode()) + body
    found = unpack(struct.pack(">4sII", b"rch1", zlib.crc32(rest), len(text)) + rest, "key")
    assert found is None or (found.text == "[1]" and all(map(sendable, found.validators.values())))
    assert unpack(GOOD, "key") is not None and unpack(GOOD, "other") is None


def test_a_bomb_is_not_unpacked_whole() -> None:
    bomb = replace(KeptResponse(AT, AT, {}, "", zlib.compress(b" " * 100_000_001, 9)))
    assert unpack(bomb.pack("key"), "key") is None


def test_a_disk_that_takes_nothing_only_costs_requests(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    server, sink, cache = Server(), Kept(), ResponseCache(tmp_path / "cache")
    with serving(server) as address:
        assert fetch(address, cache, sink, lifetime_s=30) == fetch(address, cache, sink, lifetime_s=30) == "[1]"
    assert [fact.outcome for fact in sink.attempts] == ["ok", "ok"]


def test_files_older_than_a_day_go_when_another_is_written(tmp_path: Path) -> None:
    server, sink, cache = Server(), Kept(), ResponseCache(tmp_path)
    with serving(server) as address:
        fetch(address, cache, sink, lifetime_s=30)
        [old] = tmp_path.iterdir()
        left = tmp_path / "x.1-2.new"  # of a process that died
        left.write_bytes(b"")
        for path in (old, left):
            os.utime(path, (0, 0))
        fetch(address, cache, sink, lifetime_s=30, endpoint="book")
    assert old not in list(tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 1


WRITER = """
import sys, zlib
from datetime import datetime, timezone
from pathlib import Path
from lcw_assets.transport.cache import Kept, ResponseCache
cache, mark, odd = ResponseCache(Path(sys.argv[1])), sys.argv[2], 0
text = mark * int(sys.argv[3])
for _ in range(300):
    now = datetime.now(timezone.utc)
    cache.put("shared", Kept(now, now, {}, text, zlib.compress(text.encode(), 1)))
    found = cache.get("shared")
    odd += found is None or len(set(found.text)) != 1
print(odd)
"""


def test_two_processes_that_write_the_same_one_at_once_do_not_break_each_other(tmp_path: Path) -> None:
    """Each finds a whole response at any moment, of whichever."""
    sizes = {"a": "200000", "b": "70000", "c": "9"}
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), mark, size], stdout=subprocess.PIPE, text=True)
        for mark, size in sizes.items()
    ]
    assert [writer.communicate(timeout=PATIENCE_S)[0].strip() for writer in writers] == ["0", "0", "0"]
    assert [path.name for path in tmp_path.iterdir()] == ["shared.response"]
