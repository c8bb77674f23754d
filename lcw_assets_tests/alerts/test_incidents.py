"""One alert an incident: what a person hears over the hours."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.alerts.incidents import Alert, Incident, Observation, Pace, Severity, advance

START = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
PACE = Pace(repeat_s=300, repeat_at_most_s=3600, over_after_s=150)


def slow(severity: Severity = "warning", incident: str = "cycle_time") -> Observation:
    return Observation(incident=incident, severity=severity, what="slow", since=START, run_id="r1")


def heard(looks: dict[int, list[Observation]], until: int, every: int = 10) -> list[tuple[int, str, str, str]]:
    """Look every so many seconds. Each entry of `looks` is seen from that second on, until the next entry."""
    incidents: dict[str, Incident] = {}
    seen: list[Observation] = []
    said: list[tuple[int, str, str, str]] = []
    for second in range(0, until + 1, every):
        seen = looks.get(second, seen)
        incidents, alerts = advance(incidents, seen, START + timedelta(seconds=second), PACE)
        said += [(second, alert.incident, alert.kind, alert.severity) for alert in alerts]
    return said


def test_an_incident_is_reported_once_then_at_a_growing_interval_then_as_over() -> None:
    hours = 4 * 3600
    assert heard({0: [], 60: [slow()], hours: []}, hours + 300) == [
        (60, "cycle_time", "opened", "warning"),
        (360, "cycle_time", "repeated", "warning"),
        (960, "cycle_time", "repeated", "warning"),
        (2160, "cycle_time", "repeated", "warning"),
        (4560, "cycle_time", "repeated", "warning"),
        (8160, "cycle_time", "repeated", "warning"),  # an hour at most
        (11760, "cycle_time", "repeated", "warning"),
        (hours + 140, "cycle_time", "recovered", "warning"),
    ]


def test_what_gets_worse_is_reported_at_once_and_stays_worse_until_it_is_over() -> None:
    looks = {0: [slow()], 30: [slow("critical")], 60: [slow()], 90: [slow("critical")], 120: []}
    assert heard(looks, 400) == [
        (0, "cycle_time", "opened", "warning"),
        (30, "cycle_time", "escalated", "critical"),
        (260, "cycle_time", "recovered", "critical"),
    ]


def test_a_repeat_while_it_is_less_bad_is_no_reason_to_escalate_again() -> None:
    looks = {0: [slow("critical")], 200: [slow()], 400: [slow("critical")], 500: []}
    assert heard(looks, 640) == [
        (0, "cycle_time", "opened", "critical"),
        (300, "cycle_time", "repeated", "critical"),
        (640, "cycle_time", "recovered", "critical"),
    ]


def test_what_comes_and_goes_each_minute_is_one_incident() -> None:
    """A cycle that is slow every minute is out of sight between two cycles."""
    looks = {second: [slow()] if second % 60 >= 30 else [] for second in range(0, 290, 10)}
    assert [kind for _, _, kind, _ in heard(looks, 290)] == ["opened"]


def test_two_incidents_do_not_hide_each_other() -> None:
    looks = {0: [slow(), slow("critical", "spool")], 30: [slow()]}
    assert heard(looks, 200) == [
        (0, "cycle_time", "opened", "warning"),
        (0, "spool", "opened", "critical"),
        (170, "spool", "recovered", "critical"),
    ]


def test_the_worst_of_what_is_seen_of_one_incident_counts() -> None:
    assert heard({0: [slow(), slow("critical"), slow()]}, 0) == [(0, "cycle_time", "opened", "critical")]


def test_a_clock_that_goes_back_loses_nothing() -> None:
    incidents, opened = advance({}, [slow()], START, PACE)
    incidents, nothing = advance(incidents, [slow()], START - timedelta(hours=1), PACE)
    assert (len(opened), nothing) == (1, [])
    incidents, over = advance(incidents, [], START + timedelta(hours=1), PACE)
    assert [alert.kind for alert in over] == ["recovered"]
    assert incidents == {}


def test_an_incident_that_began_in_the_future_begins_now() -> None:
    later = slow().model_copy(update={"since": START + timedelta(days=1)})
    _, [alert] = advance({}, [later], START, PACE)
    assert alert.since == START


observations = st.lists(
    st.builds(slow, st.sampled_from(["warning", "critical"]), st.sampled_from(["a", "b", "c"])), max_size=4
)


@given(st.lists(st.tuples(st.integers(1, 400), observations), max_size=60))
def test_every_incident_is_opened_once_and_closed_once(looks: list[tuple[int, list[Observation]]]) -> None:
    incidents: dict[str, Incident] = {}
    said: list[Alert] = []
    now = START
    for seconds, seen in looks:
        now += timedelta(seconds=seconds)
        before = set(incidents)
        incidents, alerts = advance(incidents, seen, now, PACE)
        said += alerts
        names = {observation.incident for observation in seen}
        assert names <= set(incidents)  # what is wrong is open
        opened = {alert.incident for alert in alerts if alert.kind == "opened"}
        assert opened == names - before  # and was reported
        assert len({alert.incident for alert in alerts}) == len(alerts)  # at most one alert an incident a look
    for name in "abc":
        own = [alert for alert in said if alert.incident == name]
        kinds = [alert.kind for alert in own if alert.kind in ("opened", "recovered")]
        assert kinds == ["opened", "recovered"] * (len(kinds) // 2) + ["opened"] * (len(kinds) % 2)
        assert (len(kinds) % 2 == 1) == (name in incidents)
        told = [alert.raised_at for alert in own if alert.kind in ("opened", "repeated", "escalated")]
        for earlier, later, alert in zip(told, told[1:], [a for a in own if a.kind != "recovered"][1:], strict=False):
            if alert.kind == "repeated":
                assert later - earlier >= timedelta(seconds=PACE.repeat_s)
    assert all(Incident.model_validate_json(one.model_dump_json()) == one for one in incidents.values())
