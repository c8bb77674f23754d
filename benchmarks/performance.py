"""What judging costs: the report of 72 hours and of a year, a sensor's look, and what facts and checks add to a cycle.

`python -m benchmarks.performance [runs]`. The facts are made up: two years of cycles (a year, and the one before), each
with 14 calls. Beside the report, in turn with it, the same figures by pandas, as a notebook would get them.
"""

from __future__ import annotations

import ast
import logging
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from benchmarks.report import table
from lcw_assets.defs.monitoring.idle import Schedule
from lcw_assets.defs.monitoring.render import render
from lcw_assets.defs.monitoring.report import READ_CONFIG, make_report, read_facts
from lcw_assets.defs.monitoring.sla import load_sla
from lcw_assets.ingest.measures import Window
from lcw_assets.warehouse.connection import compact, open_database

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
WINDOWS = {"72 hours: 4,320 cycles": 72, "a year: 525,600 cycles": 365 * 24}


def fill(file: Path, cycles: int) -> None:
    """Facts of so many minutes until `NOW`."""
    cycles_sql, *rest = (Path(__file__).parent / "facts.sql").read_text().split(";\n")
    with open_database(file) as db:
        db.execute(cycles_sql, {"cycles": cycles})
        for statement in rest:
            db.execute(statement)
        compact(db)


def report(file: Path, hours: int) -> tuple[float, float]:
    """Seconds with the database open, and in all, drawing included."""
    started = time.perf_counter()
    sla = load_sla()
    with open_database(file, config=READ_CONFIG) as db:
        facts = read_facts(db, Window.before(NOW, hours), sla, Schedule(NOW))
    read_s = time.perf_counter() - started
    render(make_report(facts, sla, NOW), "Cycle times")
    return read_s, time.perf_counter() - started


def notebook(file: Path, hours: int) -> float:
    """Seconds for the statistics of cycles, phases and endpoints alone."""
    started = time.perf_counter()
    window = [NOW - timedelta(hours=hours), NOW]
    with open_database(file) as db:
        cycles = db.execute("FROM ops.cycles WHERE started_at >= ? AND started_at < ?", window).df()
        calls = db.execute("FROM ops.calls WHERE started_at >= ? AND started_at < ?", window).df()
    quantiles = [0.5, 0.95, 0.99]
    cycles["cycle_s"].describe(percentiles=quantiles)
    cycles[["queue_s", "start_s", "pull_s", "handover_s", "lock_wait_s", "store_s"]].quantile(quantiles)
    calls.groupby("endpoint").agg({"latency_s": ["count", "median"], "bytes": "sum"})
    calls.groupby("endpoint")["latency_s"].quantile(quantiles)
    return time.perf_counter() - started


# Each in a process of its own, whose peak of memory is then its own. The first pass imports, and is not counted.
ONE = """
import resource, sys
from pathlib import Path
from benchmarks import performance
what, file, number, runs = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
for _ in range(runs + 1):
    print("took", getattr(performance, what)(file, number), flush=True)
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
"""


def measure(what: str, file: Path, number: int, runs: int = 0) -> tuple[list[Any], float]:
    """What each run gave, and the peak of the process's memory in MB."""
    command = [sys.executable, "-c", ONE, what, str(file), str(number), str(runs)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    took = [ast.literal_eval(line[5:]) for line in lines if line.startswith("took ")]
    return took[1:], float(lines[-1].removeprefix("peak "))


def sensors(runs: int) -> dict[str, list[float]]:
    """Seconds of a look, with nothing wrong, and with a slow cycle whose alert is stored beside a year of facts."""
    import dagster as dg

    from lcw_assets.definitions import defs

    definitions = defs()
    repository = definitions.get_repository_def()
    job = definitions.resolve_job_def("fetch_cycle")
    seconds: dict[str, list[float]] = {}
    logging.disable()  # the alerts are not for whoever reads the figures
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        for number in range(runs + 1):
            instance.create_run_for_job(job, status=dg.DagsterRunStatus.SUCCESS)
            for sensor in repository.sensor_defs:
                look(sensor, instance, repository, seconds.setdefault(f"{sensor.name}, nothing wrong", []), number)
            tick = datetime.now(timezone.utc) - timedelta(seconds=45)
            tags = {"lcw/scheduled_at": tick.isoformat()}
            run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags=tags)
            name = "watch_cycles, an alert to store"
            look(repository.get_sensor_def("watch_cycles"), instance, repository, seconds.setdefault(name, []), number)
            instance.report_run_failed(run)
    return seconds


def look(sensor, instance, repository, seconds: list[float], number: int) -> None:  # type: ignore[no-untyped-def]
    import dagster as dg

    with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
        started = time.perf_counter()
        sensor(context)
        if number:
            seconds.append(time.perf_counter() - started)


# A cycle with and without: no machine facts, no SLA checks.
WITHOUT = """
import sys
import lcw_assets.defs.monitoring.checks as checks
checks.sla_checks, checks.sla_results, checks.read_sla = (lambda: []), (lambda *_: []), (lambda: None)
import lcw_assets.ingest.machine as machine
machine.measure_machine = lambda *_, **__: {"moment": "none", "measured_at": "2026-11-20T12:00:00Z"}
import lcw_assets.ingest.spool as spool
spool.SpoolWriter.plan = lambda *_: None
"""
CYCLE = """
from dagster._cli import main
sys.argv = ["dagster", "job", "execute", "-m", "lcw_assets.definitions", "-j", "fetch_cycle"]
main()
"""


def cycles(runs: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds from tick to commit, and of the whole process."""
    from benchmarks.market import market

    programs = {"without": WITHOUT + CYCLE, "with facts and checks": "import sys" + CYCLE}
    whole: dict[str, list[float]] = {name: [] for name in programs}
    own: dict[str, list[float]] = {name: [] for name in programs}
    with tempfile.TemporaryDirectory() as folder, market(2 * runs + 2) as server:
        for number in range(runs + 1):
            for name, program in programs.items():
                home = Path(folder) / name
                home.mkdir(exist_ok=True)
                environment = {
                    **os.environ,
                    "DAGSTER_HOME": str(home),
                    "LCW_BASE_URL": server.address,
                    "LCW_BURST": "1000",
                }
                for variable in ("PYTHONDONTWRITEBYTECODE", "LCW_DATA_DIR"):
                    environment.pop(variable, None)
                started = time.perf_counter()
                subprocess.run(
                    [sys.executable, "-c", program], cwd=home, env=environment, check=True, capture_output=True
                )
                took = time.perf_counter() - started
                server.next_minute()
                with open_database(home / "data" / "demo.duckdb") as db:
                    [(cycle_s,)] = db.execute("SELECT max_by(cycle_s, cycle_id) FROM ops.cycles").fetchall()
                if number:
                    whole[name].append(took)
                    own[name].append(cycle_s)
    return own, whole


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LCW_DATA_DIR"] = folder
        file = Path(folder) / "demo.duckdb"
        measure("fill", file, 2 * 525_600)
        for name, hours in WINDOWS.items():
            passes, _ = measure("report", file, hours, runs)
            others, _ = measure("notebook", file, hours, runs)
            rows = {
                "the report": [whole for _, whole in passes],
                "  of that: database open": [read for read, _ in passes],
                "its statistics by pandas": others,
            }
            budget = "under 0.3 s" if hours == 72 else "under 5 s, and 500 MB"
            print(table(f"the report of {name}", rows, budget=budget))
            peaks = {what: measure(what, file, hours)[1] for what in ("report", "notebook")}
            print(f"  peak memory of a process: report {peaks['report']:.0f} MB, pandas {peaks['notebook']:.0f} MB\n")
        looks = sensors(runs)
        print(table("a sensor's look, beside a year of facts", looks, budget="under 0.050 s"))
    own, whole = cycles(runs)
    print(table("a cycle, from tick to commit", own, budget="at most 0.030 s more"))
    print(table("a cycle, the whole process", whole))


if __name__ == "__main__":
    main()
