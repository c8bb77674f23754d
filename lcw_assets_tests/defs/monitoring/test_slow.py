"""Slow cycles as a database tells them: with who held it, and how the machine was."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from duckdb import DuckDBPyConnection

from lcw_assets.defs.monitoring.idle import Schedule
from lcw_assets.defs.monitoring.render import render
from lcw_assets.defs.monitoring.report import make_report, read_facts
from lcw_assets.defs.monitoring.sla import load_sla
from lcw_assets.defs.monitoring.slow import add_slow_cycles, read_slowest, read_usual
from lcw_assets.ingest.measures import Window
from lcw_assets_tests.defs.monitoring.facts import HOUR, NOON, call, cycle, database, load, load_times, machine

SLA = load_sla()


def measured(row: dict[str, Any], cpu: float, **values: Any) -> list[dict[str, Any]]:
    """The machine at the start and the end of a cycle of ten seconds with two processors, `cpu` of them busy."""
    start = datetime.fromisoformat(row["started_at"])
    worked = {"cpu_busy_s": 360_000 + 20 * cpu, "cpu_idle_s": 360_000 + 20 * (1 - cpu)}
    return [
        machine(row, "start", start + timedelta(milliseconds=1)),
        machine(row, "end", start + timedelta(seconds=10, milliseconds=1), **{**worked, **values}),
    ]


def usual_cycles(db: DuckDBPyConnection) -> None:
    """Nine of 4 s, on a machine of which a third is busy."""
    rows = [cycle(number, HOUR.start + timedelta(minutes=number), 4.0) for number in range(9)]
    load(db, "ops.cycles", rows)
    load(db, "ops.resources", [moment for row in rows for moment in measured(row, 1 / 3)])


def causes(db: DuckDBPyConnection, window: Window = HOUR) -> list[str]:
    found = read_slowest(db, window, over_s=20.0, most=9, usual=read_usual(db, window))
    return [str(slow.cause) for slow in found]


def test_the_usual_is_the_median_machine_and_the_least_of_each_phase() -> None:
    with database() as db:
        usual_cycles(db)
        slow = cycle(20, HOUR.start + timedelta(minutes=20), 40.0, queue_s=0.01)
        load(db, "ops.cycles", [slow])
        load(db, "ops.resources", measured(slow, 1.0, load_1m=9.0, memory_used=990))
        usual = read_usual(db, HOUR)
    assert (usual.least["queue_s"], usual.least["pull_s"]) == (0.01, 3.8)
    machine = usual.machine
    assert (round(machine.cpu or 0, 6), machine.processors, machine.load, machine.memory) == (0.333333, 2.0, 0.5, 0.5)


def test_a_start_on_a_busy_machine() -> None:
    with database() as db:
        usual_cycles(db)
        slow = cycle(20, HOUR.start + timedelta(minutes=20), 40.0, start_s=35.0, pull_s=4.0)
        load(db, "ops.cycles", [slow])
        load(db, "ops.resources", measured(slow, 0.987, load_1m=11.5))
        assert causes(db) == [
            "starting the process took 35.0 s, imports included, likely because the machine was busy (CPU in use "
            "98.7 %, usually 33.3 %; load 11.5 on 2 processors, usually 0.500 on 2 processors)"
        ]


def test_a_machine_that_was_booted_in_between_tells_nothing_of_its_cpu() -> None:
    with database() as db:
        usual_cycles(db)
        slow = cycle(20, HOUR.start + timedelta(minutes=20), 40.0, handover_s=35.0, pull_s=4.0)
        load(db, "ops.cycles", [slow])
        load(db, "ops.resources", measured(slow, 1.0, cpu_busy_s=30.0, cpu_idle_s=350_000.0))
        assert causes(db) == ["35.0 s passed between pulling and storing, in Dagster or in the spool"]


def test_who_had_the_database_is_read_with_the_cycle_that_waited() -> None:
    with database() as db:
        usual_cycles(db)
        waited = cycle(20, HOUR.start + timedelta(minutes=20), 40.0, lock_wait_s=35.0, pull_s=4.0)
        left_out = cycle(21, HOUR.start + timedelta(minutes=21), 39.0, handover_s=35.0, pull_s=3.0)
        load(db, "ops.cycles", [waited, left_out])
        common = {"waited_at": HOUR.start.isoformat(), "waited_s": 35.0}
        load(
            db,
            "ops.lock_waits",
            [
                {**common, "load_id": waited["cycle_id"], "holder": "/bin/jupyter", "pid": 12, "opened": True},
                {**common, "load_id": left_out["cycle_id"], "holder": "/bin/duckdb", "pid": 34, "opened": False},
            ],
        )
        assert causes(db) == [
            "it waited 35.0 s for the database, held open by /bin/jupyter (process 12) for most of that",
            "it waited in the spool for 35.0 s: the database was held open by /bin/duckdb (process 34) when it was to "
            "be stored",
        ]
        added, _ = add_slow_cycles(db, over_s=20, now=NOON)
        assert [str(slow.cause) for slow in added] == causes(db)[::-1]


def test_several_facts_of_one_cycle_multiply_nothing() -> None:
    with database() as db:
        slow = cycle(20, HOUR.start + timedelta(minutes=20), 40.0, pull_s=39.0)
        load(db, "ops.cycles", [slow])
        page = {"request": {"offset": 0}, "outcome": "timeout", "http_status": None}
        load(db, "ops.calls", [call(slow, "coins/list", 13.0, attempt=attempt, **page) for attempt in (1, 2, 3)])
        wait = {"load_id": slow["cycle_id"], "waited_at": HOUR.start.isoformat(), "waited_s": 0.1, "holder": None}
        load(db, "ops.lock_waits", [{**wait, "pid": pid, "opened": True} for pid in (1, 2)])
        load(db, "ops.resources", measured(slow, 0.5))
        assert causes(db) == ["coins/list offset 0 took 39.0 s over 3 attempts: a time-out (3 times)"]


def test_no_fast_cycle_stands_among_the_slowest() -> None:
    with database() as db:
        load_times(db, [4.0, 19.9, 20.0, 20.1, 31.0])
        facts = read_facts(db, HOUR, SLA, Schedule(NOON))
    assert [slow.cycle_s for slow in facts.slowest] == [31.0, 20.1]


def test_where_all_were_fast_the_report_has_no_slowest_and_says_so() -> None:
    with database() as db:
        load_times(db, [4.0, 19.9, 20.0])
        texts = render(make_report(read_facts(db, HOUR, SLA, Schedule(NOON)), SLA, NOON), "Cycle times")
    for text in texts:
        assert "No cycle took over 20 s." in text
        assert "likely cause |" not in text
        assert "likely cause</th>" not in text
