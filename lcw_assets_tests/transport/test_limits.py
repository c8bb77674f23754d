"""What servers say of their limits: kept with the call, and obeyed by every process."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lcw_assets.coordination.rate_limit import Rate, RateLimit
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import TransientError
from lcw_assets.transport.facts import Response
from lcw_assets.transport.limits import quiet_s, rate_headers
from lcw_assets.transport.secret import Secret
from lcw_assets_tests.servers import raw_server, reply
from lcw_assets_tests.transport.test_client import Kept, call

AT = datetime(2026, 11, 28, 12, 0, 20, tzinfo=timezone.utc)
UNIX = int(AT.timestamp())
RATE = Rate(per_s=100, burst=100)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"gw-ratelimit-remaining": "0", "gw-ratelimit-reset": "1489"}, 1.489),
        ({"gw-ratelimit-remaining": "5", "gw-ratelimit-reset": "1489"}, None),
        ({"gw-ratelimit-remaining": "0"}, None),
        ({"gw-ratelimit-remaining": "zero", "gw-ratelimit-reset": "1489"}, None),
        ({"gw-ratelimit-remaining": "0", "gw-ratelimit-reset": "9e99"}, None),
        ({"gw-ratelimit-remaining": "0", "gw-ratelimit-reset": "600000"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(UNIX + 12)}, 12.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str((UNIX + 12) * 1000)}, 12.0),
        ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "12"}, 12.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "12"}, 12.0),
        ({"ratelimit": "limit=100, remaining=0, reset=12"}, 12.0),
        ({"ratelimit": '"burst";r=5;t=1, "day";r=0;t=12'}, 12.0),
        ({"ratelimit": '"burst";r=5;t=1'}, None),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "12"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(UNIX - 12)}, None),  # it is over
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "-12"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "86400"}, None),  # no unit that makes sense
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
        ({"x-bapi-limit-status": "0", "x-bapi-limit-reset-timestamp": str((UNIX + 3) * 1000)}, 3.0),
        ({"x-bapi-limit-status": "9", "x-bapi-limit-reset-timestamp": str((UNIX + 3) * 1000)}, None),
        ({"x-mbx-used-weight-1m": "5401"}, 40.0),  # until the minute is over
        ({"x-mbx-used-weight-1m": "5400"}, None),
        ({"x-mbx-used-weight-1m": "999999999"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2", "x-mbx-used-weight-1m": "6000"}, 40.0),
        ({}, None),
    ],
)
def test_how_long_to_be_quiet(headers: dict[str, str], seconds: float | None) -> None:
    assert quiet_s(headers, AT) == (None if seconds is None else pytest.approx(seconds))


NAMES = st.sampled_from(
    [
        *("gw-ratelimit-remaining", "gw-ratelimit-reset", "x-ratelimit-remaining", "x-ratelimit-reset"),
        *("ratelimit", "x-mbx-used-weight-1m", "x-bapi-limit-status", "x-bapi-limit-reset-timestamp"),
    ]
)
VALUES = st.one_of(
    st.text(max_size=40), st.sampled_from(["0", "-0", "nan", "inf", "1_0", "٣", '"a";r=0;t=9']), st.integers().map(str)
)


@given(st.dictionaries(NAMES, VALUES))
def test_whatever_is_sent_the_wait_is_one_that_makes_sense(headers: dict[str, str]) -> None:
    wait = quiet_s(headers, AT)
    assert wait is None or 0 < wait <= 3600
    assert len(rate_headers(headers, Secret(None)) or {}) <= 12


def test_only_headers_about_limits_are_kept_and_not_much_of_them() -> None:
    few = {
        "retry-after": "7", "x-mbx-used-weight": "2", "x-mbx-used-weight-1m": "2" * 99, "x-mbx-order-count-10s": "1",
        "gw-ratelimit-limit": "2000", "x-ratelimit-limit-minute": "30", "ratelimit-policy": "100;w=60",
        "ratelimit": "r=1", "x-bapi-limit": "600",
    }  # fmt: skip
    others = {"cf-ray": "8c1f-FRA", "set-cookie": "a=b", "etag": '"1"', "date": "now", "x-request-rate": "1"}
    kept = rate_headers(few | others, Secret(None))
    assert kept == few | {"x-mbx-used-weight-1m": "2" * 64}
    assert len(rate_headers({f"x-ratelimit-{number}": "1" for number in range(99)}, Secret(None)) or {}) == 12
    assert rate_headers(others, Secret(None)) is None
    key = "k" * 60
    assert rate_headers({"x-ratelimit-key": f"of the account with {key}"}, Secret(key)) == {
        "x-ratelimit-key": "of the account with ***"
    }


@pytest.mark.parametrize(
    "headers",
    [
        ("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 50"),
        ("gw-ratelimit-remaining: 0", "gw-ratelimit-reset: 50000"),
        ("X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 50", "Content-Type: text/html"),
    ],
)
def test_when_no_request_is_left_no_process_sends_one(tmp_path: Path, headers: tuple[str, ...]) -> None:
    sink = Kept()
    with raw_server(reply("200 OK", b"[]", *headers)) as address:
        assert call(address, sink, rate_limit=RateLimit(tmp_path / "source", RATE)) == "[]"
        assert 45 < RateLimit(tmp_path / "source", RATE).take() <= 50
        with pytest.raises(TransientError, match="no time was left"):
            call(address, sink, rate_limit=RateLimit(tmp_path / "source", RATE), deadline=Deadline.after(5))
    [fact, unsent] = sink.attempts
    assert (fact.outcome, fact.retry_after_s, unsent.outcome) == ("ok", 50.0, "deadline")
    assert fact.limits and len(fact.limits) == 2
    assert (unsent.retry_after_s, unsent.limits) == (None, None)


@pytest.mark.parametrize("outcome", ["rate_limited", "banned", "maintenance", "server_error"])
def test_a_ban_pauses_every_process_as_a_429_does(tmp_path: Path, outcome: str) -> None:
    def read(response: Response) -> str:
        raise TransientError(response.endpoint, "no", outcome=outcome, retry_after_s=300.0)  # type: ignore[arg-type]

    sink = Kept()
    with raw_server(reply("418 I'm a teapot", b"", "Retry-After: 300")) as address, pytest.raises(TransientError):
        call(address, sink, read=read, rate_limit=RateLimit(tmp_path / "source", RATE), deadline=Deadline.after(60))
    [fact] = sink.attempts  # a retry would not come in time
    assert (fact.outcome, fact.retry_after_s, fact.limits) == (outcome, 300.0, {"retry-after": "300"})
    wait = RateLimit(tmp_path / "source", RATE).take()
    assert wait == 0 if outcome == "server_error" else 290 < wait <= 300
