"""A rate that all processes share, and a file that can stop nobody."""

from __future__ import annotations

import fcntl
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.coordination.rate_limit import Rate, RateLimit
from lcw_assets.transport.call import Call
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import TransientError
from lcw_assets.transport.facts import Response
from lcw_assets.transport.threads import bounded
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.servers import raw_server, reply
from lcw_assets_tests.transport.recorded_waits import RecordedWaits
from lcw_assets_tests.transport.test_client import LONG, Kept, read_text


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Passing(RecordedWaits):
    """A deadline whose waits move a clock."""

    clock: Clock = field(default_factory=Clock)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.clock.now += max(0.0, seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def place(limit: RateLimit, clock: Clock) -> float:
    """Wait for a place. Gives the moment of it."""
    while wait_s := limit.take():
        clock.now += wait_s
    return clock.now


def test_a_burst_at_once_and_then_the_rate(tmp_path: Path, clock: Clock) -> None:
    limit = RateLimit(tmp_path / "lcw", Rate(per_s=2, burst=3), clock=clock)
    began = clock.now
    assert [place(limit, clock) - began for _ in range(5)] == pytest.approx([0, 0, 0, 0.5, 1.0])
    clock.now += 60
    began = clock.now
    assert [place(limit, clock) - began for _ in range(4)] == pytest.approx([0, 0, 0, 0.5])


@given(st.lists(st.floats(0, 5), max_size=60), st.floats(0.5, 20), st.integers(1, 20))
def test_no_stretch_of_time_has_more_than_burst_and_rate(
    tmp_path_factory: pytest.TempPathFactory, pauses: list[float], per_s: float, burst: int
) -> None:
    clock = Clock()
    limit = RateLimit(tmp_path_factory.mktemp("limit") / "lcw", Rate(per_s, burst), clock=clock)
    starts = []
    for pause in pauses:
        clock.now += pause
        starts.append(place(limit, clock))
    for first in range(len(starts)):
        for last in range(first, len(starts)):
            allowed = burst + per_s * (starts[last] - starts[first])
            assert last - first + 1 <= allowed + 1e-6


def test_the_cycle_comes_first(tmp_path: Path, clock: Clock) -> None:
    """A backfill leaves half of the burst to it."""
    rate = Rate(per_s=1, burst=8, reserve=4)
    backfill = RateLimit(tmp_path / "lcw", rate, first=False, clock=clock)
    cycle = RateLimit(tmp_path / "lcw", rate, clock=clock)
    assert [backfill.take() for _ in range(4)] == [0, 0, 0, 0]
    assert [cycle.take() for _ in range(4)] == [0, 0, 0, 0]
    assert cycle.take() == pytest.approx(1)
    clock.now += 1
    assert backfill.take() == pytest.approx(4)  # it has no place ahead of the cycle for having waited
    assert cycle.take() == 0


def test_the_quiet_that_a_server_requests_holds_for_every_process(tmp_path: Path, clock: Clock) -> None:
    rate = Rate(per_s=5, burst=16)
    RateLimit(tmp_path / "lcw", rate, clock=clock).pause(120)
    RateLimit(tmp_path / "lcw", rate, clock=clock).pause(30)  # the longer one counts
    clock.now += 60
    assert RateLimit(tmp_path / "lcw", rate, clock=clock).take() == pytest.approx(60)
    clock.now += 60
    assert RateLimit(tmp_path / "lcw", rate, clock=clock).take() == 0


def test_no_quiet_lasts_longer_than_ten_minutes(tmp_path: Path, clock: Clock) -> None:
    """`Retry-After: 86400` may be a slip; a clock that was set back by a day looks the same."""
    limit = RateLimit(tmp_path / "lcw", Rate(per_s=5, burst=16), clock=clock)
    limit.pause(86_400)
    assert limit.take() == pytest.approx(600)
    clock.now -= 86_400
    assert limit.take() == 0


def test_the_next_process_does_not_ask_before_the_time_that_a_429_gave(tmp_path: Path) -> None:
    """The cycle that met it ended; the one after it, a process of its own, says at once why it asks nothing."""
    asked = []

    def slow_down(connection: socket.socket) -> None:
        asked.append(1)
        reply("429 Too Many Requests", b"")(connection)

    def read(got: Response) -> str:
        raise TransientError(got.endpoint, "slow down", outcome="rate_limited", retry_after_s=600)

    sink = Kept()
    with raw_server(slow_down) as address:
        for _ in range(2):
            limit = RateLimit(tmp_path / "lcw", Rate(per_s=5, burst=16))
            client = Client(address, source="test", sink=sink, rate_limit=limit, timeouts=LONG)
            with pytest.raises(TransientError) as raised:
                client.call(Call("POST", "coins/list", {}, Deadline.after(300), read))
    assert asked == [1]
    assert [fact.outcome for fact in sink.attempts] == ["rate_limited", "deadline"]
    assert "no time was left to ask: the rate limit lets nobody ask for another " in raised.value.reason


def test_processes_share_it(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from lcw_assets.coordination.rate_limit import *\n"
        "limit = RateLimit(Path(sys.argv[1]), Rate(per_s=0.01, burst=30), clock=lambda: 1e6)\n"
        "print(sum(limit.take() == 0 for _ in range(20)))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "lcw")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(process.communicate()[0]) for process in running) == 30


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"gcr1" + b"\xff" * 8, b"gcr2" + b"\xff" * 16, b"y" * 5000],
    ids=["empty", "short", "old", "nan", "long"],
)
def test_a_file_that_is_none_is_a_full_bucket(tmp_path: Path, clock: Clock, content: bytes) -> None:
    file = tmp_path / "lcw"
    file.write_bytes(content)
    limit = RateLimit(file, Rate(per_s=1, burst=2), clock=clock)
    assert [limit.take() for _ in range(2)] == [0, 0]


def test_a_file_that_was_long_is_one_again(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "lcw").write_bytes(b"y" * 5000)
    limit = RateLimit(tmp_path / "lcw", Rate(per_s=1, burst=1), clock=clock)
    assert [limit.take() for _ in range(2)] == pytest.approx([0, 1])


def test_a_clock_that_is_set_back_stops_nobody(tmp_path: Path, clock: Clock) -> None:
    limit = RateLimit(tmp_path / "lcw", Rate(per_s=1, burst=1), clock=clock)
    limit.take()
    clock.now -= 3600
    assert limit.take() == 0


def test_a_lock_that_somebody_keeps_stops_nobody(tmp_path: Path) -> None:
    file = tmp_path / "lcw"
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert bounded(RateLimit(file, Rate(per_s=0.01, burst=1)).take, PATIENCE_S) == 0


def test_a_folder_that_cannot_be_made_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "limits").write_text("a file")
    assert RateLimit(tmp_path / "limits" / "lcw", Rate(per_s=1, burst=1)).take() == 0


def test_a_wait_for_the_rate_is_a_fact_and_ends_with_the_deadline(tmp_path: Path) -> None:
    sink, limit = Kept(), RateLimit(tmp_path / "lcw", Rate(per_s=2, burst=1))
    with raw_server(reply("200 OK", b"[]")) as address:
        client = Client(address, source="test", sink=sink, rate_limit=limit, timeouts=LONG)
        first = time.monotonic()
        client.call(Call("POST", "coins/list", {}, Deadline.after(PATIENCE_S), read_text))
        second = time.monotonic()
        client.call(Call("POST", "coins/list", {}, Deadline.after(PATIENCE_S), read_text))
        limit.pause(300.0)
        with pytest.raises(TransientError, match="no time was left"):
            client.call(Call("POST", "coins/list", {}, Deadline.after(60), read_text))
    assert [fact.outcome for fact in sink.attempts] == ["ok", "ok", "deadline"]
    assert sink.attempts[1].waited_s >= 0.5 - (second - first)  # half a second after the first one's place


def test_who_finds_no_place_waits_as_long_as_the_rate_says(tmp_path: Path, clock: Clock) -> None:
    """And looks again then: another process may have been faster."""
    limit, deadline = RateLimit(tmp_path / "lcw", Rate(per_s=2, burst=1), clock=clock), Passing(1e9, clock=clock)
    limit.take()
    with raw_server(reply("200 OK", b"[]")) as address:
        client = Client(address, source="test", sink=Kept(), rate_limit=limit, timeouts=LONG)
        client.call(Call("POST", "coins/list", {}, deadline, read_text))
    assert deadline.waits == pytest.approx([0.5])
