"""A second request for a response that takes too long: the first good response counts, and each request is a fact."""

from __future__ import annotations

import itertools
import queue
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from lcw_assets.coordination.rate_limit import Rate, RateLimit
from lcw_assets.transport.call import Call
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import TransientError
from lcw_assets.transport.in_flight import InFlightRequest
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.route import Route
from lcw_assets.transport.tuning import HedgeBudget, Pace, Tuning
from lcw_assets_tests.patience import PATIENCE_S, until
from lcw_assets_tests.servers import raw_server, reply, silence
from lcw_assets_tests.transport.test_client import LONG, Kept, read_text

Talk = Callable[[socket.socket], None]
GOOD = reply("200 OK", b"[1]")


def by_turn(*talks: Talk) -> Talk:
    """The n-th connection is dealt with by the n-th of these, the rest by the last."""
    turns = itertools.chain(talks, itertools.repeat(talks[-1]))
    lock = threading.Lock()

    def talk(connection: socket.socket) -> None:
        with lock:
            mine = next(turns)
        mine(connection)

    return talk


def after(seconds: float, talk: Talk) -> Talk:
    def late(connection: socket.socket) -> None:
        time.sleep(seconds)
        talk(connection)

    return late


def once(true: Callable[[], object], talk: Talk, most_s: float = PATIENCE_S) -> Talk:
    """`talk` as soon as something is true, or after so many seconds."""

    def waiting(connection: socket.socket) -> None:
        ends = time.monotonic() + most_s
        while not true() and time.monotonic() < ends:
            time.sleep(0.005)
        talk(connection)

    return waiting


def call_once(address: str, sink: Kept, **options: Any) -> str:
    tuning = {"in_flight": 4, "hedges": 4, "pace": Pace(hedge_after_s=0.2, attempt_s=PATIENCE_S), **options}
    client = Client(
        address,
        source="test",
        sink=sink,
        tuning=Tuning(**tuning),
        timeouts=LONG,
        retry=RetryPolicy(attempts=9, first_s=0.05),
    )
    return client.call(Call("POST", "coins/list", {"limit": 1}, Deadline.after(PATIENCE_S), read_text))


def facts(sink: Kept) -> list[tuple[int, bool, str]]:
    return [(fact.attempt, fact.hedge, fact.outcome) for fact in sink.attempts]


def test_a_silent_server_is_called_again_and_the_second_response_counts() -> None:
    """The first request would be silent for ten minutes."""
    sink = Kept()
    with raw_server(by_turn(silence, GOOD)) as address:
        assert call_once(address, sink) == "[1]"
    assert facts(sink) == [(1, True, "ok"), (1, False, "superseded")]
    assert sink.attempts[0].waited_s >= 0.2
    assert len(sink.responses) == 1


def test_a_fast_response_needs_no_second_request() -> None:
    sink = Kept()
    with raw_server(GOOD) as address:
        call_once(address, sink, pace=Pace(hedge_after_s=300.0, attempt_s=PATIENCE_S))
    assert facts(sink) == [(1, False, "ok")]


def test_the_first_response_counts_where_it_is_faster_after_all() -> None:
    """It comes as soon as the second request is there, which is never answered."""
    sink, hedged = Kept(), threading.Event()

    def second(connection: socket.socket) -> None:
        hedged.set()
        silence(connection)

    with raw_server(by_turn(once(hedged.is_set, GOOD), second)) as address:
        call_once(address, sink)
    assert facts(sink) == [(1, False, "ok"), (1, True, "superseded")]


def test_a_hedge_that_fails_leaves_the_first_request_its_time() -> None:
    sink = Kept()
    with raw_server(by_turn(once(lambda: sink.attempts, GOOD), reply("503 Busy", b""))) as address:
        assert call_once(address, sink) == "[1]"
    assert facts(sink) == [(1, True, "server_error"), (1, False, "ok")]


def test_where_both_fail_the_next_attempt_begins() -> None:
    sink = Kept()
    with raw_server(by_turn(silence, silence, GOOD)) as address:
        assert call_once(address, sink, pace=Pace(hedge_after_s=0.05, attempt_s=2.0)) == "[1]"
    assert facts(sink)[:2] == [(1, False, "timeout"), (1, True, "timeout")]
    rest = facts(sink)[2:]  # a busy machine may hedge that as well
    assert {attempt for attempt, _, _ in rest} == {2}
    assert "ok" in {outcome for _, _, outcome in rest}


def test_a_server_that_answers_only_every_second_call() -> None:
    sink = Kept()
    with raw_server(by_turn(*[silence, GOOD] * 20)) as address:
        for _ in range(3):
            call_once(address, sink)
    assert [outcome for _, _, outcome in facts(sink)] == ["ok", "superseded"] * 3


def test_without_a_budget_nothing_is_hedged() -> None:
    sink = Kept()
    with raw_server(by_turn(silence, GOOD)) as address:
        call_once(address, sink, hedges=0, pace=Pace(hedge_after_s=0.05, attempt_s=1.0))
    assert facts(sink)[0] == (1, False, "timeout")
    assert facts(sink)[-1][1:] == (False, "ok")
    assert not any(hedge for _, hedge, _ in facts(sink))


def test_a_hedge_takes_a_place_in_flight_and_waits_for_none() -> None:
    """With one place, there is none for a second request."""
    sink = Kept()
    with raw_server(by_turn(after(0.6, GOOD), GOOD)) as address:
        call_once(address, sink, in_flight=1)
    assert facts(sink) == [(1, False, "ok")]


def test_a_response_that_was_given_up_does_not_come_back() -> None:
    """The slow one ends a moment after it was given up: neither a fact nor a response is kept twice."""
    sink, sent = Kept(), threading.Event()

    def slow(connection: socket.socket) -> None:
        until(lambda: len(sink.attempts) == 2, every_s=0.005)
        reply("200 OK", b"[0]")(connection)
        sent.set()

    with raw_server(by_turn(slow, GOOD)) as address:
        assert call_once(address, sink) == "[1]"
        assert sent.wait(PATIENCE_S)
        time.sleep(0.2)  # for who waits for it
    assert facts(sink) == [(1, True, "ok"), (1, False, "superseded")]
    assert [kept.text for kept in sink.responses] == ["[1]"]


def test_giving_up_what_has_just_ended_is_no_error() -> None:
    """The soak found it: the loser of a race may end in the moment in which it is given up."""
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with raw_server(GOOD) as address, requests.Session() as session:
        exchange = InFlightRequest(session, Route(address), "test", "POST", "coins/list", {}, LONG, PATIENCE_S)
        exchange.start(ended)
        _, result = ended.get(timeout=PATIENCE_S)
        exchange.abandon()
        exchange.abandon()
    assert result().text == "[1]"


def test_giving_up_what_has_just_been_cut_off_is_no_error() -> None:
    """The soak found that too: nothing can be woken of a response that broke off, and the cycle ended with it."""
    ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with raw_server(reply("200 OK", b"[1", announced=100)) as address, requests.Session() as session:
        exchange = InFlightRequest(session, Route(address), "test", "POST", "coins/list", {}, LONG, PATIENCE_S)
        exchange.start(ended)
        _, result = ended.get(timeout=PATIENCE_S)
        exchange.abandon()
    with pytest.raises(TransientError, match=r"cut (its response|the connection) off"):
        result()


def test_a_server_that_is_down_is_not_asked_twice_as_much() -> None:
    sink = Kept()
    with raw_server(after(0.3, reply("503 Busy", b""))) as address:
        client = Client(
            address,
            source="test",
            sink=sink,
            tuning=Tuning(in_flight=4, hedges=100, pace=Pace(0.05, PATIENCE_S)),
            timeouts=LONG,
            retry=RetryPolicy(attempts=10, first_s=0.01, longest_s=0.01),
        )
        with pytest.raises(TransientError):
            client.call(Call("POST", "coins/list", {}, Deadline.after(PATIENCE_S), read_text))
    assert len([fact for fact in sink.attempts if not fact.hedge]) == 10
    assert len([fact for fact in sink.attempts if fact.hedge]) <= 3


def test_a_429_ends_all_hedging() -> None:
    budget = HedgeBudget(5)
    assert budget.take()
    budget.ended(good=False, rate_limited=True)
    budget.give_back()  # one that found no place
    assert not budget.take()


def test_a_hedge_keeps_to_the_rate(tmp_path: Path) -> None:
    sink = Kept()
    with raw_server(by_turn(after(0.6, GOOD), GOOD)) as address:
        client = Client(
            address,
            source="test",
            sink=sink,
            tuning=Tuning(hedges=4, pace=Pace(0.1, PATIENCE_S)),
            timeouts=LONG,
            rate_limit=RateLimit(tmp_path / "test", Rate(per_s=0.001, burst=1)),
        )
        client.call(Call("POST", "coins/list", {}, Deadline.after(PATIENCE_S), read_text))
    assert facts(sink) == [(1, False, "ok")]
