"""What does not hold at the end of a soak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from benchmarks.soak.oracle import Event, Facts, expected_alerts
from benchmarks.soak.plan import DEADLINE_S, NOON, minute, outage
from lcw_assets.alerts.incidents import Alert
from lcw_assets.ingest.spool import Spool
from lcw_assets.simulator.server import Simulator
from lcw_assets.warehouse.connection import open_database

# What a process may hold more of than after its first five to ten cycles, when imports and caches are complete; and
# the last process more than the first one did at that age, for all that the database has grown.
_MORE = {"MB of memory": 30.0, "threads": 2.0, "open files": 2.0}
_MOST_MEMORY_MB = 250.0  # as in the design

Held = Sequence[Sequence[float]]


def data(folder: Path, simulator: Simulator, pulls_s: Sequence[float], died: Container[int], cycles: int) -> list[str]:
    """The tables against the simulator's ledger, cycle by cycle, and the deadline."""
    with open_database(folder / "demo.duckdb") as db:
        [(twice, cycles_twice, coins_twice, strays)] = db.execute(
            "SELECT (SELECT count(*) - count(DISTINCT (cycle_id, endpoint, request)) FROM raw.pulls), "
            "(SELECT count(*) - count(DISTINCT cycle_id) FROM ops.cycles), "
            "(SELECT count(*) - count(DISTINCT (code, currency)) FROM market.coins), "
            "(SELECT count(*) FROM (SELECT cycle_id FROM raw.pulls UNION ALL SELECT cycle_id FROM ops.calls) "
            "WHERE cycle_id NOT IN (SELECT cycle_id FROM ops.cycles))"
        ).fetchall()
        rows = {number for (number,) in db.execute("SELECT cycle_id::INTEGER FROM ops.cycles").fetchall()}
        stored = dict(db.execute("SELECT cycle_id::INTEGER, count(*) FROM raw.pulls GROUP BY ALL").fetchall())
        calls = {
            number: (good, given_up)
            for number, good, given_up in db.execute(
                "SELECT cycle_id::INTEGER, count(*) FILTER (outcome = 'ok'), "
                "count(*) FILTER (outcome IN ('superseded', 'timeout')) FROM ops.calls GROUP BY ALL"
            ).fetchall()
        }
    served = Counter((entry.at - NOON) // timedelta(minutes=1) for entry in simulator.ledger.entries if entry.good)
    over = [each for each in pulls_s if each > DEADLINE_S + 1]
    wrong = [f"{len(over)} cycles asked beyond their deadline, up to {max(over):.1f} s"] if over else []
    wrong += [f"cycle {number} has no row" for number in range(cycles + 1) if number not in rows and number not in died]
    for number in sorted({*served, *stored, *calls}):
        responses, (good, given_up) = stored.get(number, 0), calls.get(number, (0, 0))
        # What was on its way when a process was killed reached nobody: at most the calls in flight, and their hedges.
        lost = served[number] - good - given_up - (12 if number in died else 0)
        wrong += (
            [f"cycle {number}: {responses} responses are stored, {good} calls succeeded"] if responses != good else []
        )
        wrong += [f"cycle {number}: {served[number]} responses were sent, {good} came"] if good > served[number] else []
        wrong += [f"cycle {number}: {lost} of {served[number]} responses are lost"] if lost > 0 else []
    return [
        *wrong,
        *(
            f"{times} {what} are there twice"
            for what, times in (("responses", twice), ("cycles", cycles_twice), ("coins", coins_twice))
            if times
        ),
        *([f"{strays} rows are of no cycle"] if strays else []),
        *(["spooled work is left"] if Spool(folder / "spool" / "simulator").pending() else []),
    ]


def flat(workers: Sequence[Held]) -> list[str]:
    """`workers` has of each process what it held after every fifth cycle: MB of memory, threads, open files."""
    wrong = []
    warm = [held[1:] for held in workers if len(held) > 1]
    if not warm:
        return ["no process lived long enough to say whether it grows"]
    for index, (what, more) in enumerate(_MORE.items()):
        # The least of its last three measurements: sockets of requests that were just given up come and go, up to eight
        # in a full run on a busy machine.
        grown = max(min(each[index] for each in held[-3:]) - held[0][index] for held in warm)
        first, last = warm[0][0][index], warm[-1][0][index]
        print(
            f"{what:12} grew by at most {grown:.0f} in a process; {first:.0f} in the first one, {last:.0f} in the last"
        )
        if grown > more:
            wrong.append(f"{what}: a process held {grown:.0f} more than after its first cycles")
        if last - first > more:
            wrong.append(f"{what}: the last process held {last - first:.0f} more than the first one")
    most = max(each[0] for held in workers for each in held)
    return [*wrong, *([f"a process took {most:.0f} MB of memory"] if most > _MOST_MEMORY_MB else [])]


def alerts(raised: Sequence[Alert], folder: Path, died: Mapping[int, datetime], cycles: int) -> list[str]:
    """What was raised against what must have been, and the outage as a person would hear of it."""
    with open_database(folder / "demo.duckdb", read_only=True) as db:
        facts = Facts.read(db)
    killed = {number: _since_noon(at) for number, at in died.items()}
    expected = expected_alerts(facts, killed, cycles + 1, folder / "sla.toml")  # one more stores what was left
    sent = sorted(
        Event(_since_noon(one.raised_at), one.incident, one.kind, one.severity, _since_noon(one.since))
        for one in raised
    )
    for (incident, kind), times in sorted(Counter((one.incident, one.kind) for one in sent).items()):
        print(f"{incident:22} {kind:10} {times:5}")
    too_many, too_few = Counter(sent) - Counter(expected), Counter(expected) - Counter(sent)
    return [
        *(f"raised, and not expected: {_say(alert)}" for alert in too_many.elements()),
        *(f"expected, and not raised: {_say(alert)}" for alert in too_few.elements()),
        *_outage(facts, sent, died, outage(cycles)),
    ]


def _outage(facts: Facts, sent: Sequence[Event], died: Mapping[int, datetime], hour: range) -> list[str]:
    """One incident from its beginning to its end, repeated after 5 minutes, then after twice as long each time."""
    if hour.stop + 30 >= facts.cycles["number"].max():
        return []  # too short a soak to see the end of it
    status = dict(zip(facts.cycles["number"].tolist(), facts.cycles["status"].tolist(), strict=True))
    succeeded = [number for number in hour if number not in died and status[number] != "failed"]
    begins, ends = (_since_noon(minute(number)) for number in (hour.start, hour.stop))
    own = [alert for alert in sent if alert.incident == "job fetch_cycle"]
    opened = [alert.raised_at for alert in own if alert.kind == "opened" and alert.raised_at < ends]
    over = [alert.raised_at for alert in own if alert.kind == "recovered" and alert.raised_at >= ends]
    if not opened or not over:
        return ["the outage was not reported"]
    story = [alert for alert in own if opened[-1] <= alert.raised_at <= over[0]]
    print(f"the outage of {hour.start} to {hour.stop - 1}: " + ", ".join(map(_say, story)))
    waits = [(later.raised_at - earlier.raised_at) / 60e6 for earlier, later in pairwise(story[:-1])]
    return [
        *([f"cycles {succeeded} had responses in the outage"] if succeeded else []),
        *([f"the outage was reported at {_say(story[0])}"] if opened[-1] > begins + 120e6 else []),
        *(["the outage was more than one incident"] if "recovered" in {alert.kind for alert in story[:-1]} else []),
        *(
            [f"the outage was repeated after {waits} minutes"]
            if waits != [5.0 * 2**n for n in range(len(waits))]
            else []
        ),
        *(["the outage was not repeated three times"] if len(waits) < 3 else []),
    ]


def _say(alert: Event) -> str:
    raised_at = NOON + timedelta(microseconds=alert.raised_at)
    since = timedelta(microseconds=alert.raised_at - alert.since)
    return f"{alert.incident} {alert.kind} ({alert.severity}) at {raised_at:%d. %H:%M:%S}, {since} after it began"


def _since_noon(moment: datetime) -> int:
    return (moment - NOON) // timedelta(microseconds=1)
