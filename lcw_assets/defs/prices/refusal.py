"""Why a quote, a conversion or a consensus is none: a code with fields. Prose is made from them at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Code = Literal[
    # a ticker
    "no_price",  # neither a book nor a last trade
    "not_a_number",  # `field`, `value`: NaN or infinite
    "zero_price",  # `field`, `value`: zero or below, as delisted markets have it
    "half_book",  # a bid without an ask, or the other way round: `missing`
    "crossed_book",  # `bid` above `ask`
    "absurd_book",  # the `spread`, a share of the mid, is above `limit`
    "last_outside_book",  # the `last` trade is further from the `mid` than `limit`, a share
    "too_old",  # `age_s` above `limit_s`, by the time of its `time_kind`
    "from_the_future",  # `ahead_s` above `limit_s`
    "stands_still",  # the same for `rounds` while the others moved by `others_moved`, a share
    # a conversion
    "no_conversion",  # nothing measures the `currency` in USD
    "no_agreement",  # too few agree: `agree` of `votes`, or the books imply `implied` and not `measured`
    "last_rate_too_old",  # the last good rate has `age_s`, above `limit_s`; `cause` says why there is no new one
    "last_rate_deserted",  # `near` of `votes` are near the last good rate, less than half; `cause` as above
    "last_rate_contested",  # the books imply `implied`, and not the `last` good rate; `cause` as above
    # a consensus
    "no_quorum",  # `used` sources are left, of `quorum` that are needed
    "no_agreement_of_sources",  # `agree` of the `used` are within `limit`, a share, of the `center`
    # a source in a consensus
    "missing",  # requested, and nothing came
    "outlier",  # further from the `center` than `limit`, both in USD
    # a source's health
    "failing",  # `failures` loads in a row; the last `outcome`
    "banned",  # the last `outcome`; not before `until`
    "disbelieved",  # `rejected` of its last `votes`
    "no_usable_quotes",  # it responded, and all of its quotes are refused
    "unreliable",  # `success`, a share, below `limit`
    "slow",  # `latency_s` above `limit_s`
    "stale",  # `age_s` above `limit_s`
    "over_budget",  # `cost` of today at or above `limit`
    "unknown",  # no facts yet
]


@dataclass(frozen=True)
class Refusal:
    """A code, and the fields that its comment names. Shares are fractions, times seconds."""

    code: Code
    fields: Mapping[str, Any] = field(default_factory=dict)
