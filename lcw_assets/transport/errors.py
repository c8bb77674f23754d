"""The two kinds of failure: transient ones, for which a retry makes sense, and permanent ones."""

from __future__ import annotations

from lcw_assets import escape
from lcw_assets.transport.facts import Outcome

# Characters of a reason. It may quote a server, and every attempt stores it.
_LONGEST = 500


class CallError(Exception):
    """A call that brought no response.

    `reason` is one line for a person, cut to a readable length; `str` puts the endpoint before it. `retry_after_s` is
    what the server requested, in seconds from now, never negative.
    """

    def __init__(self, endpoint: str, reason: str, *, outcome: Outcome, retry_after_s: float | None = None) -> None:
        self.reason = escape.line(reason, _LONGEST)
        super().__init__(f"{endpoint}: {self.reason}")
        self.endpoint = endpoint
        self.outcome = outcome
        self.retry_after_s = retry_after_s


class TransientError(CallError):
    """It may work in a moment: 429, 5xx, 52x, a reset, a time-out, a body that was cut off."""


class PermanentError(CallError):
    """It will not work until somebody changes something: a bad key, an unknown code, a wrong address."""


class RefusedError(PermanentError):
    """An error that every further call would get as well, so no more calls should be made."""
