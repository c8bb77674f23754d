"""One alert an incident: opened, escalated, repeated at a growing interval, recovered. Pure functions of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Severity = Literal["warning", "critical"]
# `news` is not an incident: it is sent once.
Kind = Literal["opened", "escalated", "repeated", "recovered", "news"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True)


class Observation(_Model):
    """Something is wrong, as seen just now. The same `incident` means the same problem as before.

    `subject` is for the observer: what it has to observe again, such as the name of a job.
    """

    incident: str
    subject: str | None = None
    severity: Severity
    what: str
    since: AwareDatetime
    cause: str | None = None
    run_id: str | None = None


class Incident(_Model):
    """An observation that was alerted, and when it is alerted again."""

    latest: Observation
    since: AwareDatetime
    seen_at: AwareDatetime
    alerted_at: AwareDatetime
    repeat_s: float = Field(ge=0, le=1e9)


class Alert(_Model):
    """What is sent to people, and a row of `ops.alerts`."""

    incident: str
    kind: Kind
    severity: Severity
    raised_at: AwareDatetime
    since: AwareDatetime
    what: str
    cause: str | None
    run_id: str | None

    @property
    def alert_id(self) -> str:
        """Sorts by time; valid as a file name for any incident."""
        name = "".join(letter if letter.isalnum() else "-" for letter in self.incident)[:80]
        return f"{self.raised_at:%Y%m%dT%H%M%S.%f}Z-{name}-{self.kind}"


class Pace(_Model):
    """Seconds: until the first repeat, at most between two, and from the last sighting to the end of an incident."""

    repeat_s: float
    repeat_at_most_s: float
    over_after_s: float


Incidents = Mapping[str, Incident]


def advance(
    incidents: Incidents, seen: Sequence[Observation], now: datetime, pace: Pace
) -> tuple[dict[str, Incident], list[Alert]]:
    """The open incidents after what was seen at `now`, and the alerts to send.

    A clock that goes back delays repeats and recoveries by as much, and loses nothing.
    """
    worst: dict[str, Observation] = {}
    for observation in seen:
        known = worst.get(observation.incident)
        if known is None or (observation.severity == "critical" and known.severity == "warning"):
            worst[observation.incident] = observation
    after: dict[str, Incident] = {}
    alerts: list[Alert] = []
    for name, observation in worst.items():
        before = incidents.get(name)
        after[name], kind = _open(observation, now, pace) if before is None else _go_on(before, observation, now, pace)
        if kind:
            alerts.append(_alert(kind, after[name], now))
    for name, incident in incidents.items():
        if name in after:
            continue
        if now - incident.seen_at < timedelta(seconds=pace.over_after_s):
            after[name] = incident
        else:
            alerts.append(_alert("recovered", incident, now))
    return after, alerts


def _open(observation: Observation, now: datetime, pace: Pace) -> tuple[Incident, Kind]:
    since = min(observation.since, now)
    return Incident(latest=observation, since=since, seen_at=now, alerted_at=now, repeat_s=pace.repeat_s), "opened"


def _go_on(before: Incident, observation: Observation, now: datetime, pace: Pace) -> tuple[Incident, Kind | None]:
    kind: Kind | None = None
    repeat_s = before.repeat_s
    if observation.severity == "warning" and before.latest.severity == "critical":
        # The severity never falls before the end: otherwise each return to critical would be an alert.
        observation = observation.model_copy(update={"severity": "critical"})
    if observation.severity == "critical" and before.latest.severity == "warning":
        kind = "escalated"
    elif now - before.alerted_at >= timedelta(seconds=before.repeat_s):
        kind = "repeated"
        repeat_s = min(2 * before.repeat_s, pace.repeat_at_most_s)
    after = Incident(
        latest=observation,
        since=before.since,
        seen_at=now,
        alerted_at=now if kind else before.alerted_at,
        repeat_s=repeat_s,
    )
    return after, kind


def _alert(kind: Kind, incident: Incident, now: datetime) -> Alert:
    latest = incident.latest
    return Alert(
        incident=latest.incident,
        kind=kind,
        severity=latest.severity,
        raised_at=now,
        since=incident.since,
        what=latest.what,
        cause=latest.cause,
        run_id=latest.run_id,
    )
