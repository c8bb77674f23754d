"""Why a cycle was slow, as a code and in words: one test a story that the facts show."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lcw_assets.defs.monitoring.causes import PHASES, CallFact, LockWaitFact, Usual
from lcw_assets.defs.monitoring.causes import explain as explain_cause
from lcw_assets.defs.monitoring.codes import Failure
from lcw_assets.defs.monitoring.machine import Machine


def explain(*args: Any) -> str:
    return str(explain_cause(*args))


LEAST: dict[str, float | None] = dict(zip(PHASES, (0.4, 0.5, 1.0, 0.1, 0.0, 0.05), strict=True))
USUAL = Usual(LEAST, Machine(cpu=0.35, processors=2.0, load=0.7, memory=0.6))
BUSY = Machine(cpu=0.983, processors=2.0, load=12.34, memory=0.61)
BUSY_SAID = "CPU in use 98.3 %, usually 35.0 %; load 12.3 on 2 processors, usually 0.700 on 2 processors"


def phases(**slow: float | None) -> dict[str, float | None]:
    return LEAST | slow


def made(offset: int | None, *attempts: tuple[float, float, str, int | None]) -> list[CallFact]:
    """A call with its attempts: seconds waited, seconds taken, outcome, HTTP status."""
    request: dict[str, Any] = {} if offset is None else {"offset": offset}
    endpoint = "status" if offset is None else "coins/list"
    return [
        CallFact(endpoint, request, n, *attempt[:2], attempt[3], attempt[2]) for n, attempt in enumerate(attempts, 1)
    ]


def ok(took_s: float) -> tuple[float, float, str, int]:
    return 0.0, took_s, "ok", 200


QUICK = [fact for offset in range(0, 600, 100) for fact in made(offset, ok(0.3))]


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        (made(600, (0.0, 0.2, "server_error", 503), (0.7, 41.2, "ok", 200)), "took 41.2 s on attempt 2 after a 503"),
        (made(600, ok(41.2)), "took 41.2 s on attempt 1"),
        (
            made(600, (0.0, 15.0, "timeout", None), (0.6, 0.3, "ok", 200)),
            "took 15.0 s on attempt 1 and ended in a time-out",
        ),
        (
            made(600, (0.0, 0.1, "rate_limited", 429), (30.0, 0.3, "ok", 200)),
            "waited 30.0 s before attempt 2 after a 429",
        ),
        (
            made(600, *[(1.0, 7.0, "server_error", 502)] * 3, (1.0, 6.0, "connection", None), ok(0.1)),
            "took 30.1 s over 5 attempts: a 502 (3 times), a broken connection",
        ),
        (
            made(600, (0.0, 0.2, "broken_body", 200), (0.7, 20.0, "ok", 200)),
            "took 20.0 s on attempt 2 after a broken response",
        ),
    ],
)
def test_a_slow_pull_names_its_slowest_call(calls: list[CallFact], said: str) -> None:
    pull_s = sum(call.latency_s + call.waited_s for call in calls)
    assert explain(phases(pull_s=pull_s), [*QUICK, *calls], USUAL) == f"coins/list offset 600 {said}"


def test_calls_without_an_offset_are_named_by_their_endpoint() -> None:
    assert explain(phases(pull_s=31.0), made(None, ok(30.0)), USUAL) == "status took 30.0 s on attempt 1"


def test_calls_that_are_all_slow_are_not_blamed_on_one() -> None:
    calls = [fact for offset in range(0, 1000, 100) for fact in made(offset, ok(9.0))]
    said = explain(phases(pull_s=27.0), calls, USUAL)
    assert said.startswith("all calls were slow: 10 calls took 9.00 s each, at most 9.00 s (coins/list offset ")


@pytest.mark.parametrize(
    ("outcome", "status", "named"),
    [("rate_limited", 429, "a 429"), ("banned", 418, "a 418"), ("banned", 200, "a ban")],
)
def test_a_pause_that_the_server_requested_is_no_calls_fault(outcome: str, status: int, named: str) -> None:
    refused = made(0, (0.0, 0.1, outcome, status), (25.0, 0.3, "ok", 200))
    waited = [CallFact("coins/list", {"offset": 100}, 1, 25.1, 0.3, 200, "ok")]
    # Of the two that paused, the one that was refused is the cause.
    assert f"after {named}" in explain(phases(pull_s=26.0), [*refused, *waited], USUAL)
    # And where that one gave up at once, the pause is.
    given_up = made(0, (0.0, 0.1, outcome, status))
    said = explain(phases(pull_s=26.0), [*given_up, *waited], USUAL)
    assert said == f"likely a pause of all calls after {named}: coins/list offset 100 waited 25.1 s for its turn"


def test_a_pull_that_its_calls_do_not_explain() -> None:
    said = explain(phases(pull_s=50.0), QUICK, USUAL)
    assert said == "pulling took 50.0 s and its slowest call only 0.300 s: the process was likely held up"


def test_a_pull_without_any_fact() -> None:
    assert explain(phases(pull_s=31.0), [], USUAL) == "pulling took 31.0 s, and no call left a fact"


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("queue_s", "the run waited 41.2 s in Dagster's queue before its process existed"),
        ("start_s", "starting the process took 41.2 s, imports included"),
        ("handover_s", "41.2 s passed between pulling and storing, in Dagster or in the spool"),
        ("lock_wait_s", "it waited 41.2 s for the database, held open by another process for most of that"),
        ("store_s", "storing took 41.2 s"),
    ],
)
def test_other_phases_speak_for_themselves(phase: str, said: str) -> None:
    assert explain(phases(**{phase: 41.2}), QUICK, USUAL) == said


def test_the_phase_that_grew_is_the_cause_and_not_the_one_that_is_always_long() -> None:
    always = LEAST | {"pull_s": 20.0}
    assert "held open" in explain(always | {"lock_wait_s": 5.0}, QUICK, Usual(always))


def test_without_another_cycle_the_longest_phase_is_the_cause() -> None:
    only = phases(store_s=9.0)
    assert explain(only, QUICK, Usual()) == explain(only, QUICK, Usual(only)) == "storing took 9.00 s"


def test_a_hedge_that_a_killed_cycle_left_alone_is_explained() -> None:
    alone = [CallFact("coins/list", {"offset": 600}, 1, 2.5, 40.0, 200, "ok", hedge=True)]
    assert explain(phases(pull_s=41.0), alone, USUAL) == "coins/list offset 600 took 40.0 s on attempt 1"


def test_a_hedge_counts_once_with_the_request_that_it_was_for() -> None:
    first = CallFact("coins/list", {"offset": 600}, 1, 0.0, 31.0, None, "superseded")
    hedge = CallFact("coins/list", {"offset": 600}, 1, 2.5, 28.5, 200, "ok", hedge=True)
    said = explain(phases(pull_s=31.0), [first, hedge], USUAL)
    assert said == "coins/list offset 600 took 31.0 s on attempt 1, until a second request was answered"


def test_a_killed_cycle_says_so_and_how_far_it_came() -> None:
    killed = phases(pull_s=None, handover_s=None)
    assert explain(killed, [], USUAL) == "its process died while it pulled; a later cycle stored what it had"
    assert explain(killed, made(600, ok(12.0)), USUAL).endswith("(coins/list offset 600 took 12.0 s on attempt 1)")


def code(*args: Any) -> str:
    """The code of a cause, whose fields are JSON that keeps their numbers."""
    row = explain_cause(*args).to_row()
    assert json.loads(json.dumps(row)) == row
    return str(row["code"])


def test_each_cause_has_its_code() -> None:
    refused = (0.0, 0.1, "rate_limited", 429)
    waited = [CallFact("coins/list", {"offset": 100}, 1, 25.1, 0.3, 200, "ok")]
    superseded = [CallFact("coins/list", {"offset": 600}, 1, 0.0, 31.0, None, "superseded")]
    all_slow = [fact for offset in range(0, 1000, 100) for fact in made(offset, ok(9.0))]
    locked_out = [LockWaitFact(5.0, "/usr/bin/duckdb", 7, opened=False)]
    found = [
        *(code(phases(**{f"{name}_s": 41.2}), QUICK, USUAL) for name in ("queue", "start", "handover", "store")),
        code(phases(handover_s=66.0), QUICK, USUAL, None, locked_out),
        code(phases(lock_wait_s=66.0), QUICK, USUAL),
        code(phases(pull_s=None), QUICK, USUAL, BUSY),
        code(phases(pull_s=31.0), [], USUAL, BUSY),
        code(phases(pull_s=50.0), QUICK, USUAL),
        code(phases(pull_s=26.0), [*made(0, refused), *waited], USUAL),
        code(phases(pull_s=27.0), all_slow, USUAL),
        code(phases(pull_s=41.2), made(600, ok(41.2)), USUAL),
        code(phases(pull_s=31.0), superseded, USUAL),
        code(phases(pull_s=15.9), made(600, (0.0, 15.0, "timeout", None), (0.6, 0.3, "ok", 200)), USUAL),
        code(phases(pull_s=30.4), made(600, refused, (30.0, 0.3, "ok", 200)), USUAL),
        code(phases(pull_s=24.0), made(600, *[(1.0, 7.0, "server_error", 502)] * 3), USUAL),
    ]
    assert found == [
        "queue", "start", "handover", "store", "locked_out", "lock_wait", "process_died", "no_calls",
        "process_held_up", "rate_limit_pause", "all_calls_slow", "slow_response", "hedged_response", "slow_failure",
        "retry_wait", "many_attempts",
    ]  # fmt: skip


def test_the_fields_of_a_cause_are_numbers_and_names() -> None:
    attempts = made(600, (0.0, 0.2, "server_error", 503), (0.7, 41.2, "ok", 200))
    assert explain_cause(phases(pull_s=42.1), attempts, USUAL, BUSY).to_row() == {
        "code": "slow_response",
        "call": "coins/list offset 600",
        "took_s": 41.2,
        "attempt": 2,
        "after": {"outcome": "server_error", "http_status": 503},
        "machine": {
            "machine": {"cpu": 0.983, "processors": 2.0, "load": 12.34, "memory": 0.61},
            "usual": {"cpu": 0.35, "processors": 2.0, "load": 0.7, "memory": 0.6},
            "short": ["cpu", "load_each"],
            "unusual": True,
        },
        "machine_is": "meanwhile",
    }


# Who had the database, and how the machine was.


def test_who_held_the_database_is_named() -> None:
    waits = [
        LockWaitFact(5.0, "/usr/bin/duckdb", 7, opened=False),
        LockWaitFact(0.2, "/usr/bin/cat", 8, opened=True),
        LockWaitFact(41.0, "/opt/venv/bin/python3.11", 4711, opened=True),
    ]
    said = explain(phases(lock_wait_s=41.2), QUICK, USUAL, BUSY, waits)
    assert said == (
        "it waited 41.2 s for the database, held open by /opt/venv/bin/python3.11 (process 4711) for most of that"
    )


def test_a_cycle_that_was_locked_out_says_by_whom() -> None:
    """It went into the spool, and a cycle after it stored both."""
    waits = [LockWaitFact(5.0, "/usr/bin/duckdb", 7, opened=False), LockWaitFact(0.2, None, None, opened=True)]
    assert explain(phases(handover_s=66.0), QUICK, USUAL, BUSY, waits) == (
        "it waited in the spool for 66.0 s: the database was held open by /usr/bin/duckdb (process 7) when it was "
        "to be stored"
    )
    # It got in at once, so what passed between the steps was not for a lock.
    assert "in Dagster or in the spool" in explain(phases(handover_s=66.0), QUICK, USUAL, None, waits[1:])


@pytest.mark.parametrize("phase", ["queue_s", "start_s", "handover_s", "store_s"])
def test_a_busy_machine_is_the_likely_cause_of_what_nothing_else_explains(phase: str) -> None:
    calm = explain(phases(**{phase: 41.2}), QUICK, USUAL, Machine(cpu=0.5, processors=2.0, load=1.0, memory=0.61))
    busy = explain(phases(**{phase: 41.2}), QUICK, USUAL, BUSY)
    assert busy == f"{calm}, likely because the machine was busy ({BUSY_SAID})"


def test_a_process_that_was_held_up_on_a_busy_machine() -> None:
    said = explain(phases(pull_s=50.0), QUICK, USUAL, BUSY)
    assert said.endswith(f"the process was likely held up, likely because the machine was busy ({BUSY_SAID})")
    nothing = explain(phases(pull_s=50.0), [], USUAL, BUSY)
    assert nothing.endswith(f"no call left a fact, likely because the machine was busy ({BUSY_SAID})")


def test_a_slow_call_on_a_busy_machine_stays_the_cause() -> None:
    """The machine may have had its share in that: nobody knows."""
    said = explain(phases(pull_s=41.0), made(600, ok(40.0)), USUAL, BUSY)
    assert said == f"coins/list offset 600 took 40.0 s on attempt 1; the machine was busy meanwhile ({BUSY_SAID})"


def test_a_machine_that_is_always_busy_is_no_likely_cause() -> None:
    always = Usual(LEAST, Machine(cpu=0.97, processors=2.0, load=12.0, memory=0.6))
    said = explain(phases(start_s=41.2), QUICK, always, BUSY)
    assert "likely" not in said
    assert said.endswith(
        "; the machine was as busy as it usually is (CPU in use 98.3 %, usually 97.0 %; load 12.3 on 2 processors, "
        "usually 12.0 on 2 processors)"
    )


def test_memory_that_is_full_counts_and_what_nobody_measured_does_not() -> None:
    full = Machine(cpu=0.2, processors=2.0, load=0.5, memory=0.991)
    said = explain(phases(start_s=41.2), QUICK, USUAL, full)
    assert said.endswith("likely because the machine was busy (memory in use 99.1 %, usually 60.0 %)")
    assert "busy" not in explain(phases(start_s=41.2), QUICK, USUAL, Machine())
    alone = explain(phases(start_s=41.2), QUICK, Usual(), BUSY)
    assert alone.endswith("likely because the machine was busy (CPU in use 98.3 %; load 12.3 on 2 processors)")


def test_a_killed_cycle_is_not_blamed_on_the_machine() -> None:
    said = explain(phases(pull_s=None, handover_s=None), [], USUAL, BUSY)
    assert said == (
        f"its process died while it pulled; a later cycle stored what it had; the machine was busy meanwhile "
        f"({BUSY_SAID})"
    )


def test_an_unknown_code_reads_as_any_other_refusal() -> None:
    for http_status in (400, 200, None):
        assert str(Failure("unknown_code", http_status)) == str(Failure("rejected", http_status))
