"""What a call does against servers that misbehave: how long it takes, what it raises, which facts it leaves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest

from lcw_assets.transport.call import Call
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import PermanentError, TransientError
from lcw_assets.transport.facts import Attempt, Response
from lcw_assets.transport.in_flight import Timeouts
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.transport.tuning import Tuning
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.servers import drip, raw_server, reply, silence
from lcw_assets_tests.transport.recorded_waits import RecordedWaits

OK_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Kept:
    """A sink that keeps things."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.responses: list[Response] = []
        self.refusals: list[tuple[Response, str]] = []

    def attempt(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)

    def response(self, response: Response) -> None:
        self.responses.append(response)

    def refused(self, response: Response, reason: str) -> None:
        self.refusals.append((response, reason))


def read_text(response: Response) -> str:
    if response.http_status == 429:
        raise TransientError(response.endpoint, "slow down", outcome="rate_limited", retry_after_s=0.4)
    if response.http_status != 200:
        raise TransientError(response.endpoint, "no", outcome="server_error")
    return response.text


# Half a second for an attempt: for servers that do not response. What responses is given its time, on any machine.
SHORT = Timeouts(1.0, 1.0, 0.5)
LONG = Timeouts(PATIENCE_S, PATIENCE_S, PATIENCE_S)


def call(address: str, sink: Kept, *, deadline: Deadline | None = None, read: Any = read_text, **options: Any) -> Any:
    client = Client(
        address,
        source="test",
        sink=sink,
        **{"retry": RetryPolicy(attempts=2, first_s=0.05), "timeouts": LONG, **options},
    )
    return client.call(Call("POST", "coins/list", {"limit": 1}, deadline or Deadline.after(PATIENCE_S), read))


def one_after_another(replies: Iterator[Any]) -> Any:
    def talk(connection: Any) -> None:
        next(replies)(connection)

    return talk


def test_a_response_leaves_itself_and_a_fact() -> None:
    sink = Kept()
    with raw_server(reply("200 OK", b"[]")) as address:
        assert call(address, sink) == "[]"
    [fact], [kept] = sink.attempts, sink.responses
    assert (fact.outcome, fact.attempt, fact.http_status, fact.bytes) == ("ok", 1, 200, 2)
    assert (kept.endpoint, kept.request, kept.text) == ("coins/list", {"limit": 1}, "[]")
    assert kept.requested_at <= kept.received_at <= datetime.now(timezone.utc)


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(drip(b" " * 6000, OK_HEAD + b"Content-Length: 6000\r\n\r\n"), id="body"),
        pytest.param(drip(b"X-Slow: " + b"a" * 6000, OK_HEAD), id="headers"),
        pytest.param(silence, id="silence"),
    ],
)
def test_a_server_that_drips_does_not_hold_a_call(talk: Any) -> None:
    """Each byte restarts requests' read time-out of 1 s; the attempt's 0.5 s must hold nevertheless, and not the ten
    minutes that it takes the server.
    """
    sink = Kept()
    with raw_server(talk) as address:
        # Of a silent one requests may notice it first, in the same moment.
        with pytest.raises(TransientError, match=r"no whole response within 0\.5 s|was silent for too long"):
            call(address, sink, timeouts=SHORT)
    assert [(fact.outcome, fact.attempt) for fact in sink.attempts] == [("timeout", 1), ("timeout", 2)]


def test_a_process_ends_although_a_server_still_drips() -> None:
    """The thread that was left behind is a daemon: nobody waits for it at exit."""
    program = (
        "import sys; from lcw_assets_tests.transport.test_client import *\n"
        "try: call(sys.argv[1], Kept(), timeouts=SHORT)\n"
        "except TransientError as error: print(error)"
    )
    with raw_server(drip(b"X-Slow: " + b"a" * 6000, OK_HEAD)) as address:
        done = subprocess.run([sys.executable, "-c", program, address], capture_output=True, text=True, timeout=300)
    assert "no whole response" in done.stdout
    assert done.returncode == 0


def test_no_wait_outlasts_the_deadline() -> None:
    """A back-off that would end after the deadline is not begun: with those of 3, 6 and 12 s a minute is over soon."""
    sink, deadline = Kept(), RecordedWaits.within(10.0)
    with raw_server(reply("503 Busy", b"")) as address, pytest.raises(TransientError):
        call(address, sink, deadline=deadline, retry=RetryPolicy(attempts=99, first_s=3.0, longest_s=60))
    assert len(sink.attempts) == len(deadline.waits) + 1
    assert all(wait < 10.0 for wait in deadline.waits)


def test_an_attempt_gets_only_what_is_left() -> None:
    with raw_server(silence) as address, pytest.raises(TransientError) as raised:
        call(address, Kept(), deadline=Deadline.after(0.5))
    limit = re.search(r"no whole response within (\d+\.\d) s", str(raised.value))
    assert float(limit[1]) <= 0.5 if limit else "no time was left" in str(raised.value)  # where it began so late


def test_nothing_is_called_when_no_time_is_left() -> None:
    sink = Kept()
    with raw_server(reply("200 OK", b"[]")) as address, pytest.raises(TransientError, match="no time was left"):
        call(address, sink, deadline=Deadline.after(0.0))
    [fact] = sink.attempts
    assert (fact.outcome, fact.http_status) == ("deadline", None)


def test_a_passing_error_is_tried_again_and_each_try_is_a_fact() -> None:
    replies = iter([reply("500 Oops", b"x"), reply("200 OK", b"[1]")])
    sink = Kept()
    with raw_server(one_after_another(replies)) as address:
        assert call(address, sink) == "[1]"
    assert [(fact.attempt, fact.outcome, fact.http_status) for fact in sink.attempts] == [
        (1, "server_error", 500),
        (2, "ok", 200),
    ]
    assert sink.attempts[1].waited_s >= 0.05
    assert len(sink.responses) == 1


def test_a_permanent_error_is_not_tried_again() -> None:
    def refuse(response: Response) -> None:
        raise PermanentError(response.endpoint, "never", outcome="rejected")

    sink = Kept()
    with raw_server(reply("200 OK", b"{}")) as address, pytest.raises(PermanentError, match="coins/list: never"):
        call(address, sink, read=refuse)
    assert [fact.outcome for fact in sink.attempts] == ["rejected"]


def test_a_429_holds_back_every_call_of_the_client() -> None:
    """One of them met it; the next one, which met nothing, waits for what is left of that all the same: ten minutes at
    most, for a slip of a server must not cost a day.
    """

    def read(got: Response) -> str:
        if got.http_status == 429:
            raise TransientError(got.endpoint, "slow down", outcome="rate_limited", retry_after_s=86_400.0)
        return got.text

    replies = iter([reply("429 Too Many", b""), reply("200 OK", b"[]")])
    first, second = RecordedWaits.within(300.0), RecordedWaits.within(1e6)
    with raw_server(one_after_another(replies)) as address:
        client = Client(address, source="test", sink=Kept(), timeouts=LONG)
        with pytest.raises(TransientError, match="slow down"):
            client.call(Call("POST", "coins/list", {}, first, read))
        assert client.call(Call("POST", "coins/list", {}, second, read)) == "[]"
    assert first.waits == []
    [wait] = second.waits
    assert 0 < wait <= 600


def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once() -> None:
    def come_back_tomorrow(response: Response) -> str:
        raise TransientError(response.endpoint, "later", outcome="rate_limited", retry_after_s=86_400)

    sink, deadline = Kept(), RecordedWaits.within(3600)
    with raw_server(reply("429 Too Many", b"")) as address, pytest.raises(TransientError, match="later"):
        call(address, sink, deadline=deadline, read=come_back_tomorrow)
    assert (len(sink.attempts), deadline.waits) == (1, [])


def test_calls_in_flight_are_bounded() -> None:
    now = most = 0
    lock, three = threading.Lock(), threading.Barrier(3, timeout=PATIENCE_S)

    def talk(connection: Any) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        three.wait()  # so many are there at once, and nobody goes on alone
        with lock:
            now -= 1
        reply("200 OK", b"[]")(connection)

    with raw_server(talk) as address:
        client = Client(address, source="test", sink=Kept(), tuning=Tuning(in_flight=3), timeouts=LONG)
        ask = Call("POST", "coins/list", {}, Deadline.after(PATIENCE_S), read_text)
        threads = [threading.Thread(target=client.call, args=(ask,)) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert most == 3


@pytest.mark.parametrize(
    ("talk", "meaning"),
    [
        pytest.param(lambda connection: None, "without a response|cut the connection", id="closed"),
        pytest.param(reply("200 OK", b"[]", announced=4000), "cut its response off", id="cut"),
        pytest.param(reply("200 OK", b"nonsense", "Content-Encoding: gzip"), "failed", id="not gzip"),
    ],
)
def test_broken_connections_pass(talk: Any, meaning: str) -> None:
    sink = Kept()
    with raw_server(talk) as address, pytest.raises(TransientError, match=meaning):
        call(address, sink)
    assert [fact.outcome for fact in sink.attempts] == ["connection", "connection"]


@pytest.mark.parametrize(
    ("address", "meaning"),
    [("http://127.0.0.1:1", "refuses connections"), ("http://no-such-host.invalid", "a name that cannot be resolved")],
)
def test_an_unreachable_server_is_named(address: str, meaning: str) -> None:
    with pytest.raises(TransientError, match=f"{address} .*{meaning}"):
        call(address, Kept())


def test_a_redirect_is_not_followed() -> None:
    """It would carry the key to wherever it points."""
    elsewhere: list[bytes] = []
    with (
        raw_server(lambda connection: elsewhere.append(connection.recv(999))) as other,
        raw_server(reply("302 Found", b"", f"Location: {other}/")) as address,
        pytest.raises(TransientError),
    ):
        call(address, Kept(), headers={"x-api-key": "secret"})
    assert not elsewhere


def test_an_endless_response_is_refused() -> None:
    def flood(connection: Any) -> None:
        connection.recv(65536)
        connection.sendall(OK_HEAD + b"\r\n")
        while True:
            connection.sendall(b" " * 1_000_000)

    sink = Kept()
    with raw_server(flood) as address, pytest.raises(PermanentError, match="sends over 1,000,000 bytes"):
        call(address, sink)
    [(kept, reason)] = sink.refusals
    assert (len(kept.text), kept.cut) == (1_000_000, True)
    assert "is read no further" in reason
    assert [attempt.outcome for attempt in sink.attempts] == ["broken_body"]  # and it is not asked again


# As Live Coin Watch gives them.
KEY = "0d5a1c3e-7b62-4f18-9a4d-2f6e8c0b7d91"


@pytest.mark.parametrize("echo", [KEY, KEY.upper()])
def test_a_key_that_the_server_echoes_is_blotted_out(echo: str) -> None:
    sink = Kept()
    body = json.dumps({"you sent": echo, "code": "BTC"})
    with raw_server(reply("200 OK", body.encode())) as address:
        assert json.loads(call(address, sink, secret=KEY)) == {"you sent": "***", "code": "BTC"}
    assert echo not in repr(sink.responses)


def test_good_data_is_not_altered_by_a_secret_that_is_a_word_in_it() -> None:
    """With the key C1, the codes of 110 of 300 coins became ***."""
    coins = '[{"code": "C1"}, {"code": "C11"}, {"code": "BTC1"}]'
    sink = Kept()
    with raw_server(reply("200 OK", coins.encode())) as address:
        assert call(address, sink, secret="C1") == coins
    assert [kept.text for kept in sink.responses] == [coins]


@pytest.mark.parametrize("secret", ["C1", "pass-phrase", KEY])
@pytest.mark.parametrize("unforeseen", [False, True])
def test_a_secret_of_any_length_is_in_no_error_and_no_refused_response(secret: str, unforeseen: bool) -> None:
    def quote(response: Response) -> None:
        if unforeseen:
            raise ValueError(response.text)
        raise PermanentError(response.endpoint, f"it says {response.text}", outcome="broken_body")

    sink = Kept()
    expected: type[Exception] = ValueError if unforeseen else PermanentError
    with raw_server(reply("200 OK", f"you sent {secret}".encode())) as address, pytest.raises(expected) as raised:
        call(address, sink, read=quote, secret=secret)
    assert "you sent ***" in str(raised.value)
    assert [kept.text for kept, _ in sink.refusals] == ["you sent ***"]
    assert secret not in repr((raised.value, sink.attempts, sink.responses, sink.refusals))


def test_a_response_is_kept_even_if_reading_it_fails_in_an_unforeseen_way() -> None:
    def buggy(response: Response) -> None:
        raise KeyError("bug")

    sink = Kept()
    with raw_server(reply("200 OK", b"[1, 2]")) as address, pytest.raises(KeyError):
        call(address, sink, read=buggy)
    [(kept, reason)] = sink.refusals
    assert (kept.text, reason) == ("[1, 2]", "KeyError('bug')")


def test_gzip_is_requested_and_counted_as_it_came(start_simulator: Any) -> None:
    _, address = start_simulator()
    sink = Kept()
    call(address, sink, read=lambda response: response.text)
    body = Call("POST", "coins/list", {"limit": 100, "meta": True}, Deadline.after(PATIENCE_S), read_text)
    text = Client(address, source="test", sink=sink, timeouts=LONG).call(body)
    assert sink.attempts[-1].bytes < len(text) / 3
