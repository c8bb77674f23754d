"""What a slow API looks like from here: `make slow-demo`, two minutes.

Four cycles against a simulator; in the second and in the last, one page of coins is slow. Meanwhile Dagster's daemon
watches, and a webhook on loopback takes the alerts. First as it is by default: a check fails, somebody is told, and
nothing stops. Then with `blocking`: the run fails, and the report that follows in it is not made. The limits are a
fifth of the real ones, so that nobody has to wait for minutes. Everything is left in `data/slow-demo`, for a look with
the UI.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import dagster as dg

from lcw_assets.defs.market.definitions import fetch_cycle
from lcw_assets.defs.monitoring.sla import BUILT_IN
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.server import Simulator
from lcw_assets.warehouse.connection import open_database

ROOT = Path(__file__).parents[1]
HOME = ROOT / "data" / "slow-demo"
SLA = HOME / "sla.toml"

# The limits of a cycle, and until an incident is over; the targets for an hour and for three days stay as they are.
_LIMITS = re.compile(r"((?:fast|normal|slow|cycle_warn|cycle_error)_s = )(\d+)")


class StalledPage:
    """While it is on, one page is refused at first, for five seconds, and then takes nine."""

    def __init__(self) -> None:
        self.on = False
        self._asked = 0

    def __call__(self, draw: Draw) -> Fault:
        if not (self.on and '"offset": 600' in draw.content):
            return Fault()
        self._asked += 1
        return Fault("error", status=503, retry_after="5") if self._asked % 2 else Fault(delay_s=9.3)


class Webhook(BaseHTTPRequestHandler):
    """Prints what it is sent."""

    titles: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        alert = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.titles.append(alert["title"])
        text = "\n        ".join([alert["title"], *alert["message"].splitlines()])
        print(f"ALERT   {text}", flush=True)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """The alerts are enough."""


def wait_for_alert(words: str) -> None:
    """Sensors look every 10 to 15 s."""
    ends = time.monotonic() + 45
    while not any(words in title for title in Webhook.titles) and time.monotonic() < ends:
        time.sleep(0.2)
    Webhook.titles.clear()


def environment(simulator: str, webhook: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LCW_")}
    return {
        **kept,
        "DAGSTER_HOME": str(HOME),
        "LCW_BASE_URL": simulator,
        "LCW_DATA_DIR": str(HOME / "data"),
        "LCW_SLA_FILE": str(SLA),
        "LCW_ALERT_URLS": webhook.replace("http://", "json://"),
        "PYTHONWARNINGS": "ignore:Function",
        "PYTHONPATH": str(ROOT),
    }


def prepare() -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, HOME)
    a_fifth = _LIMITS.sub(lambda found: f"{found[1]}{int(found[2]) / 5:g}", BUILT_IN.read_text())
    SLA.write_text(a_fifth.replace("over_after_s = 150", "over_after_s = 15"))


def block() -> None:
    SLA.write_text(SLA.read_text().replace("blocking = []", 'blocking = ["cycle_time"]'))


def dagster(env: dict[str, str], *arguments: str) -> tuple[str, bool]:
    """What it says, and whether it succeeded."""
    command = [sys.executable, "-m", "dagster", *arguments]
    done = subprocess.run(command, cwd=HOME, env=env, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr, done.returncode == 0


@contextmanager
def daemon(env: dict[str, str]) -> Iterator[None]:
    """The daemon that runs sensors, with the schedule off: the cycles here are started by hand."""
    dagster(env, "instance", "info")
    dagster(env, "schedule", "stop", "fetch_cycle_every_minute")
    with (HOME / "daemon.log").open("w") as log:
        command = [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"]
        with subprocess.Popen(command, cwd=HOME, env=env, stdout=log, stderr=log) as process:
            while "watch_cycles" not in (HOME / "daemon.log").read_text() and process.poll() is None:
                time.sleep(0.2)
            try:
                yield
            finally:
                process.terminate()


def cycle(env: dict[str, str], title: str, *also: str) -> None:
    """Run one; `also` names assets that follow in the same run."""
    print(f"\nCYCLE   {title}", flush=True)
    if also:
        keys = [*(f"raw/{part}" for part in fetch_cycle.raw), *(table.key for table in fetch_cycle.stored)]
        brief = ["--config-json", '{"loggers": {"console": {}}}']
        command = ["asset", "materialize", "--select", ",".join([*keys, *also]), *brief]
    else:
        command = ["job", "execute", "-j", "fetch_cycle"]
    said, well = dagster(env, *command, "-m", "lcw_assets.definitions")
    lines = [line for line in said.splitlines() if re.search(r"cycle: stored|: failed|: not run$", line)]
    print("\n".join(f"        {line}" for line in lines) if lines else said)
    print(f"RUN     {'succeeded' if well else 'failed'}", flush=True)
    show_checks("__ASSET_JOB" if also else "fetch_cycle")


def show_checks(job: str) -> None:
    """Those of ops/cycles that failed in the last run of the job, as the UI has them."""
    with dg.DagsterInstance.from_config(str(HOME)) as instance:
        evaluations = {}
        for record in instance.get_run_records(dg.RunsFilter(job_name=job), limit=1):
            for entry in instance.all_logs(
                record.dagster_run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
            ):
                check = entry.get_dagster_event().asset_check_evaluation_data
                if not check.passed:
                    evaluations[check.check_name] = check
    for name, check in evaluations.items():
        print(f"CHECK   {check.severity.value:5} {name}: {check.description}", flush=True)


def show_report() -> None:
    print("\nREPORT")
    with open_database(HOME / "data" / "demo.duckdb", read_only=True) as db:
        for row in db.execute(
            "SELECT cycle_id, cycle_s, cause FROM reports.slow_cycles ORDER BY started_at"
        ).fetchall():
            print(f"        {row[0]} took {row[1]:.1f} s: {row[2]}")
        [(alerts,)] = db.execute("SELECT count(*) FROM ops.alerts").fetchall()
    print(f"        {alerts} alerts in ops.alerts; the page is {HOME / 'data' / 'reports' / 'performance.html'}")
    print(
        f"\nLOOK    cd {HOME} && DAGSTER_HOME=$PWD {sys.executable} -m dagster_webserver -h 127.0.0.1 -w workspace.yaml"
    )


def main() -> None:
    prepare()
    os.chdir(HOME)  # where the instance's storage is relative to
    stalled = StalledPage()
    webhook = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    threading.Thread(target=webhook.serve_forever, daemon=True).start()
    with Simulator(profile=stalled, credits_per_day=20_000).serve() as address:
        env = environment(address, f"http://127.0.0.1:{webhook.server_port}/")
        with daemon(env):
            cycle(env, "all is well")
            stalled.on = True
            cycle(env, "page 7 of the coins is slow. As it is by default: a red check, an alert, and nothing stops")
            wait_for_alert("cycle_time")
            stalled.on = False
            cycle(env, "all is well again")
            wait_for_alert("recovered")  # once 15 s have passed without trouble
            block()
            stalled.on = True
            cycle(env, 'slow once more, with blocking = ["cycle_time"]: what follows is not run', "reports/slow_cycles")
            wait_for_alert("job ")
        dagster(env, "job", "execute", "-m", "lcw_assets.definitions", "-j", "performance_report")
    show_report()


if __name__ == "__main__":
    main()
