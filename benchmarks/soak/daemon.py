"""The part of dagster-daemon: evaluates every 15 s, like `watch_checks` and `watch_runs`, and raises alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from benchmarks.soak.plan import minute
from lcw_assets.alerts.incidents import Alert, Incident, Observation, Pace, advance
from lcw_assets.defs.monitoring.failed_checks import failed_check
from lcw_assets.defs.monitoring.failed_runs import failed_run
from lcw_assets.defs.monitoring.sla import Sla

EVALUATED_EVERY_S = 15
_CYCLES = dg.AssetKey(["ops", "cycles"])


class Daemon:
    """An alert about a cycle is seen from the moment that it happened on, until the next of its kind."""

    def __init__(self, sla: Sla) -> None:
        self.alerts: list[Alert] = []
        self._pace = Pace(**sla.alerts.model_dump())
        self._news: list[tuple[datetime, int, str, list[Observation]]] = []
        self._seen: dict[str, list[Observation]] = {"checks": [], "runs": []}
        self._failed_runs: set[str] = set()
        self._incidents: dict[str, dict[str, Incident]] = {"checks": {}, "runs": {}}

    def ended(self, said: Mapping[str, Any]) -> None:
        """A run came to its end, and its checks were evaluated."""
        number, at = said["ended"], datetime.fromisoformat(said["at"])
        self._run(number, at, said["failed"])
        if said["failed"]:
            self._failed_runs.add(f"{number:08}")
        self._news.append((at, number, "checks", list(_observations(said["checks"], f"{number:08}", at))))

    def died(self, number: int, at: datetime) -> None:
        self._run(number, at, "its process is gone")

    def evaluate(self, number: int) -> None:
        """All evaluations of a minute, after its events are known."""
        for seconds in range(0, 60, EVALUATED_EVERY_S):
            now = minute(number) + timedelta(seconds=seconds)
            for what in self._incidents:
                self._incidents[what], alerts = advance(self._incidents[what], self._see(what, now), now, self._pace)
                self.alerts += alerts

    def _run(self, number: int, at: datetime, failed: str | None) -> None:
        seen = [failed_run("fetch_cycle", f"{number:08}", failed, at)] if failed else []
        self._news.append((at, number, "runs", seen))

    def _see(self, sensor: str, now: datetime) -> Sequence[Observation]:
        due = sorted(news for news in self._news if news[2] == sensor and news[0] <= now)
        for news in due:
            self._news.remove(news)
            self._seen[sensor] = news[3]
        # A check of a run that failed is left to the run, unless it was reported before.
        return [
            seen
            for seen in self._seen[sensor]
            if sensor == "runs" or seen.run_id not in self._failed_runs or seen.incident in self._incidents[sensor]
        ]


def _observations(checks: Sequence[Sequence[Any]], run_id: str, at: datetime) -> Iterator[Observation]:
    for name, passed, severity, description in checks:
        if not passed:
            result = dg.AssetCheckResult(
                asset_key=_CYCLES,
                check_name=name,
                passed=passed,
                severity=dg.AssetCheckSeverity[severity],
                description=description,
            )
            yield failed_check(result, run_id, at)
