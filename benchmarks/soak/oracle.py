"""Which alerts a soak must have raised: worked out once more, from the rows of `ops` and the plan of trouble.

It shares nothing with what it checks, neither the SQL nor the state from look to look: the windows are numpy's, the
limits are read from the TOML, and when an incident was open follows from all of its sightings at once.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from duckdb import DuckDBPyConnection

from benchmarks.soak.daemon import EVALUATED_EVERY_S
from benchmarks.soak.plan import NOON

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_S = 1_000_000
_HOUR = 3600 * _S


class Event(NamedTuple):
    """An alert. Times are microseconds since the first tick."""

    raised_at: int
    incident: str
    kind: str
    severity: str
    since: int


class News(NamedTuple):
    """From `at` on an incident is as bad as that; an empty severity is none. `if_open`: said by a run that failed, so
    that it counts only for whom the incident is open.
    """

    at: int
    severity: str
    if_open: bool = False


class Sight(NamedTuple):
    """At this look the incident was there, as bad as that, because of what had happened at `since`."""

    at: int
    severity: str
    since: int


@dataclass(frozen=True)
class Facts:
    """The rows of `ops.cycles` and `ops.calls`, by column. Times are microseconds since the first tick."""

    cycles: Mapping[str, Any]
    calls: Mapping[str, Any]

    @classmethod
    def read(cls, db: DuckDBPyConnection) -> Facts:
        noon = int(NOON.timestamp()) * _S
        cycles = db.execute(
            "SELECT cycle_id::INTEGER AS number, epoch_us(started_at) - $noon AS started, "
            "epoch_us(committed_at) - $noon AS committed, cycle_s, status FROM ops.cycles ORDER BY number",
            {"noon": noon},
        ).fetchnumpy()
        calls = db.execute(
            "SELECT cycle_id::INTEGER AS number, epoch_us(started_at) - $noon AS started, outcome FROM ops.calls "
            "WHERE outcome <> 'deadline' ORDER BY number",
            {"noon": noon},
        ).fetchnumpy()
        calls["bad"] = ~np.isin(calls["outcome"].astype(str), ["ok", "superseded"])
        return cls({name: np.asarray(column) for name, column in cycles.items()}, calls)


def expected_alerts(facts: Facts, died: Mapping[int, int], cycles: int, sla: Path) -> list[Event]:
    """`died` has when the process of a cycle was killed; `cycles` is how many minutes were looked through."""
    limits = tomllib.loads(sla.read_text())
    moments = range(0, cycles * 60 * _S, EVALUATED_EVERY_S * _S)
    pace = {name: int(seconds * _S) for name, seconds in limits["alerts"].items()}
    alerts = []
    for incident, news in _all_news(facts, died, limits["checks"]).items():
        sights = list(_sights(sorted(news), moments, pace))
        alerts += [alert for stretch in _stretches(sights, pace) for alert in _alerts(incident, stretch, moments, pace)]
    return sorted(alerts)


def _all_news(facts: Facts, died: Mapping[int, int], checks: Mapping[str, Any]) -> dict[str, list[News]]:
    """By incident."""
    news: dict[str, list[News]] = {
        "job fetch_cycle": [News(at, "critical") for at in died.values()],
        **{f"ops/cycles:{name}": [] for name in ("cycle_time", "sla_1h", "sla_72h")},
    }
    rows = zip(*(facts.cycles[name].tolist() for name in ("number", "committed", "cycle_s", "status")), strict=True)
    for number, committed, cycle_s, status in rows:
        if number in died:
            continue  # whoever stored it said nothing of it
        failed = status == "failed"
        news["job fetch_cycle"].append(News(committed, "critical" if failed else ""))
        slow = (
            "critical" if cycle_s > checks["cycle_error_s"] else "warning" if cycle_s > checks["cycle_warn_s"] else ""
        )
        news["ops/cycles:cycle_time"].append(News(committed, slow, failed))
        for name, hours in (("sla_1h", 1), ("sla_72h", 72)):
            broken = _breaches(facts, number, committed, hours * _HOUR, checks[name])
            news[f"ops/cycles:{name}"].append(News(committed, "warning" if broken else "", failed))
    return news


def _breaches(facts: Facts, number: int, end: int, length: int, targets: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the cycles and calls that began in the time before `end` miss, of those that were stored by then."""

    def within(rows: Mapping[str, Any]) -> Any:
        return (rows["number"] <= number) & (rows["started"] >= end - length) & (rows["started"] < end)

    cycles, calls = within(facts.cycles), within(facts.calls)
    seconds, status = facts.cycles["cycle_s"][cycles], facts.cycles["status"][cycles]
    values: dict[str, Callable[[float | None], Any]] = {
        "mean_s": lambda _: seconds.mean(),
        "p95_s": lambda _: np.quantile(seconds, 0.95),
        "p99_s": lambda _: np.quantile(seconds, 0.99),
        "share_over": lambda limit: (seconds > limit).sum() / seconds.size,
        "complete": lambda _: (status == "complete").sum() / seconds.size,
        "error_rate": lambda _: facts.calls["bad"][calls].sum() / calls.sum() if calls.any() else 0.0,
    }
    broken = []
    for target in targets:
        value = values[target["measure"]](target.get("seconds"))
        meets = (
            value < target["under"]
            if "under" in target
            else value <= target["at_most"]
            if "at_most" in target
            else value >= target["at_least"]
        )
        if not meets:
            broken.append(f"{target['measure']} {value}")
    return broken


def _sights(news: Sequence[News], moments: range, pace: Mapping[str, int]) -> Iterator[Sight]:
    times = [each.at for each in news]
    last: int | None = None
    for moment in moments:
        latest = news[index] if (index := bisect_right(times, moment) - 1) >= 0 else None
        if latest is None or not latest.severity:
            continue
        is_open = last is not None and moment - last <= pace["over_after_s"]
        if is_open or not latest.if_open:
            last = moment
            yield Sight(moment, latest.severity, latest.at)


def _stretches(sights: Sequence[Sight], pace: Mapping[str, int]) -> Iterator[Sequence[Sight]]:
    """An incident is open from a sight on to the last one that is followed by none for so long."""
    begins = [
        index
        for index, sight in enumerate(sights)
        if not index or sight.at - sights[index - 1].at > pace["over_after_s"]
    ]
    for begin, end in zip(begins, [*begins[1:], len(sights)], strict=True):
        yield sights[begin:end]


def _alerts(incident: str, stretch: Sequence[Sight], moments: range, pace: Mapping[str, int]) -> Iterator[Event]:
    """Raised at once, at once when it gets worse, in between again and again, and when it is over."""
    first, last = stretch[0], stretch[-1]
    worse_at = next((sight.at for sight in stretch if sight.severity == "critical"), moments.stop)
    yield Event(first.at, incident, "opened", first.severity, first.since)
    alerted_at, wait = first.at, pace["repeat_s"]
    for sight in stretch[1:]:
        if sight.at == worse_at:
            kind = "escalated"
        elif sight.at >= alerted_at + wait:
            kind, wait = "repeated", min(2 * wait, pace["repeat_at_most_s"])
        else:
            continue
        alerted_at = sight.at
        yield Event(sight.at, incident, kind, "critical" if sight.at >= worse_at else "warning", first.since)
    over_at = last.at + pace["over_after_s"]
    if over_at in moments:
        severity = "critical" if last.at >= worse_at else "warning"
        yield Event(over_at, incident, "recovered", severity, first.since)
