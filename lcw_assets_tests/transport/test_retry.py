"""When a call is tried again: `Retry-After` as servers send it (seconds, dates, nonsense), and waits without one."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.transport.errors import TransientError
from lcw_assets.transport.retry import RetryPolicy, retry_after_s
from lcw_assets_tests.transport.recorded_waits import RecordedWaits

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("86400000", 86_400_000.0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("Fri, 20 Nov 2026 12:00:30", 30.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_every_form(value: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": value}, NOW) == seconds


def test_without_the_header_no_call_was_made() -> None:
    assert retry_after_s({}, NOW) is None


@given(st.integers(0, 10**6))
def test_seconds_and_the_date_they_lead_to_mean_the_same(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert retry_after_s({"retry-after": str(seconds)}, NOW) == retry_after_s({"retry-after": date}, NOW) == seconds


@given(st.text(max_size=40))
def test_no_text_breaks_it(value: str) -> None:
    seconds = retry_after_s({"retry-after": value}, NOW)
    assert seconds is None or seconds >= 0


# How long to wait before the next try. Waits are recorded and not slept.


def waits(error: TransientError, *, attempts: int = 5, left_s: float = 1e6) -> list[float]:
    """What a call waits for in between, that fails each time."""
    deadline = RecordedWaits.within(left_s)

    def fail() -> None:
        raise error

    with pytest.raises(TransientError):
        RetryPolicy(attempts=attempts).within(deadline)(fail)
    return deadline.waits


def failed(retry_after_s: float | None = None) -> TransientError:
    return TransientError("coins/list", "503", outcome="server_error", retry_after_s=retry_after_s)


def test_calls_that_fail_together_do_not_come_back_together() -> None:
    """Four at once, refused at once: without chance in their waits they would be refused at once again, and again."""
    calls = [waits(failed()) for _ in range(100)]
    for nth, least in enumerate((0.5, 1.0, 2.0, 4.0)):
        moments = [call[nth] for call in calls]
        assert all(least <= moment <= least + 0.5 for moment in moments)
        assert len(set(moments)) > 90
        assert max(moments) - min(moments) > 0.25  # spread over half a second: all within half of it is one in 10^28


def test_a_call_is_tried_five_times_with_longer_and_longer_waits_up_to_a_limit() -> None:
    assert RetryPolicy() == RetryPolicy(attempts=5)
    assert len(waits(failed())) == 4
    many = waits(failed(), attempts=9)
    assert len(many) == 8
    assert all(8.0 <= wait <= 8.5 for wait in many[4:])


def test_a_server_that_says_when_is_called_then_and_never_at_once() -> None:
    assert waits(failed(retry_after_s=7.0)) == [7.0] * 4
    assert waits(failed(retry_after_s=0.0)) == [0.5] * 4


def test_a_wait_that_would_outlast_the_deadline_is_not_begun() -> None:
    assert waits(failed(retry_after_s=7.0), left_s=5.0) == []
    assert len(waits(failed(), left_s=0.9)) <= 1  # the second one takes a second
