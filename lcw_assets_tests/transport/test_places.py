"""Places in flight: whatever becomes of a request, its place is there again for the next one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lcw_assets.coordination.rate_limit import Rate, RateLimit
from lcw_assets.transport.call import Call
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import TransientError
from lcw_assets.transport.tuning import Pace, Tuning
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.servers import raw_server, reply, silence
from lcw_assets_tests.transport.test_client import LONG, Kept, read_text
from lcw_assets_tests.transport.test_hedging import GOOD, by_turn, facts

# Longer than any response here takes; who waits for a place that never comes waits so long.
ENOUGH_S = 30.0


def connect(address: str, sink: Kept, *, in_flight: int, limit: RateLimit | None = None, hedges: int = 9) -> Client:
    tuning = Tuning(in_flight=in_flight, hedges=hedges, pace=Pace(hedge_after_s=0.05, attempt_s=PATIENCE_S))
    return Client(address, source="test", sink=sink, tuning=tuning, timeouts=LONG, rate_limit=limit)


def call_once(client: Client, seconds: float = ENOUGH_S) -> str:
    return client.call(Call("POST", "coins/list", {}, Deadline.after(seconds), read_text))


def at_once(client: Client, calls: int) -> list[str]:
    responses: list[str] = []
    threads = [threading.Thread(target=lambda: responses.append(call_once(client))) for _ in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return responses


def meeting(of: int) -> Callable[[socket.socket], None]:
    """Answers when so many requests are there at once, and not before."""
    barrier = threading.Barrier(of, timeout=ENOUGH_S)

    def talk(connection: socket.socket) -> None:
        barrier.wait()
        GOOD(connection)

    return talk


def test_of_a_call_that_the_rate_allows_too_late(tmp_path: Path) -> None:
    file = tmp_path / "limit"
    limit = RateLimit(file, Rate(per_s=5, burst=5))
    with raw_server(GOOD) as address:
        client = connect(address, Kept(), in_flight=1, limit=limit)
        limit.pause(PATIENCE_S)
        with pytest.raises(TransientError, match="the rate limit lets nobody ask"):
            call_once(client)
        file.unlink()  # the quiet is over
        assert call_once(client) == "[1]"


def test_of_a_hedge_that_the_rate_does_not_allow(tmp_path: Path) -> None:
    file = tmp_path / "limit"
    limit = RateLimit(file, Rate(per_s=0.001, burst=3))
    limit.take()
    limit.take()
    sink, hedging = Kept(), threading.Event()

    def slow(connection: socket.socket) -> None:
        hedging.wait(1.0)  # nobody sets it: time for a hedge, which is not sent
        GOOD(connection)

    with raw_server(by_turn(slow, meeting(2))) as address:
        client = connect(address, sink, in_flight=2, limit=limit)
        call_once(client)
        assert facts(sink) == [(1, False, "ok")]
        file.unlink()
        assert at_once(client, 2) == ["[1]"] * 2


def test_of_a_request_that_was_overtaken() -> None:
    sink = Kept()
    with raw_server(by_turn(silence, GOOD, meeting(2))) as address:
        client = connect(address, sink, in_flight=2, hedges=1)
        call_once(client)
        assert facts(sink) == [(1, True, "ok"), (1, False, "superseded")]
        assert at_once(client, 2) == ["[1]"] * 2


@pytest.mark.parametrize(
    "talk", [reply("503 Busy", b""), reply("200 OK", b"[]", announced=99)], ids=["refused", "cut off"]
)
def test_of_a_request_that_failed(talk: Callable[[socket.socket], None]) -> None:
    with raw_server(by_turn(talk, GOOD)) as address:
        assert call_once(connect(address, Kept(), in_flight=1, hedges=0)) == "[1]"


def test_a_hedge_that_found_no_place_is_sent_when_there_is_one() -> None:
    """One second request may be sent in all. The place that it needs is another call's, until that is answered."""
    sink, held, first, second = Kept(), threading.Event(), threading.Event(), threading.Event()

    def other(connection: socket.socket) -> None:
        first.set()
        held.wait(PATIENCE_S)
        GOOD(connection)

    def silent(connection: socket.socket) -> None:
        second.set()
        silence(connection)

    paces = {"coins/list": Pace(hedge_after_s=0.05, attempt_s=PATIENCE_S)}
    with raw_server(by_turn(other, silent, GOOD)) as address:
        tuning = Tuning(in_flight=2, hedges=1, pace=Pace(attempt_s=PATIENCE_S), paces=paces)
        client = Client(address, source="test", sink=sink, tuning=tuning, timeouts=LONG)
        calls = [
            threading.Thread(
                target=client.call, args=(Call("POST", endpoint, {}, Deadline.after(PATIENCE_S), read_text),)
            )
            for endpoint in ("status", "coins/list")
        ]
        for call, begun in zip(calls, (first, second), strict=True):
            call.start()
            assert begun.wait(PATIENCE_S)
        time.sleep(0.3)  # it is looked up, and not there
        held.set()
        for call in calls:
            call.join()
    assert sorted(facts(sink)) == [(1, False, "ok"), (1, False, "superseded"), (1, True, "ok")]
