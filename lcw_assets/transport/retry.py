"""When to try again, and how long to wait first."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import tenacity

from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import TransientError

if TYPE_CHECKING:
    from tenacity import RetryCallState


@dataclass(frozen=True)
class RetryPolicy:
    """Exponential back-off: `first_s`, twice that, and so on up to `longest_s`, each with up to `first_s` on top.

    Without jitter, four calls that fail together would be repeated together.
    """

    attempts: int = 5
    first_s: float = 0.5
    longest_s: float = 8.0

    def within(self, deadline: Deadline) -> tenacity.Retrying:
        """A retrier whose waits never outlast `deadline`: when the next one would, it gives up at once."""
        backoff = tenacity.wait_combine(
            tenacity.wait_exponential(multiplier=self.first_s, max=self.longest_s),
            tenacity.wait_random(0, self.first_s),
        )

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            wait_s = error.retry_after_s if isinstance(error, TransientError) else None
            return backoff(state) if wait_s is None else max(wait_s, self.first_s)

        def out_of_tries_or_time(state: RetryCallState) -> bool:
            return state.attempt_number >= self.attempts or state.upcoming_sleep >= deadline.left()

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            wait=wait,
            stop=out_of_tries_or_time,
            sleep=deadline.sleep,
            reraise=True,
        )


def retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that a `retry-after` header requests (RFC 9110 section 10.2.3: seconds, or an HTTP date).

    A time in the past counts as 0; what is neither a number nor a date counts as not sent.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        seconds = ((date if date.tzinfo else date.replace(tzinfo=timezone.utc)) - now).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
