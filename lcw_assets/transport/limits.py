"""What a server's headers say of its rate limits: kept as facts, and obeyed where no request is left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import islice

from lcw_assets.transport.secret import Secret

# So much of them is kept of one response.
_MOST, _LONGEST = 12, 64
_NAMES = re.compile(
    r"retry-after|(x-|gw-)?rate-?limit[a-z0-9-]*|x-mbx-(used-weight|order-count)[a-z0-9-]*|x-bapi-limit[a-z0-9-]*"
)

_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,6})?", re.ASCII)

# Who has how many requests left, and when the next ones come: in seconds from now, or as a UNIX time.
_WINDOWS = (
    ("ratelimit-remaining", "ratelimit-reset"),
    ("x-ratelimit-remaining", "x-ratelimit-reset"),
    ("x-rate-limit-remaining", "x-rate-limit-reset"),
    ("x-bapi-limit-status", "x-bapi-limit-reset-timestamp"),
)
# The same in one header, as drafts of the IETF have it: `limit=100, remaining=0, reset=50` or `"default";r=0;t=50`.
_REMAINING = re.compile(r"\b(?:remaining|r)=(\d{1,15})\b", re.ASCII)
_RESET = re.compile(r"\b(?:reset|t)=(\d{1,15})\b", re.ASCII)

# A window that ends later than this is no window but a unit or a clock that is wrong.
_LONGEST_WINDOW_S = 3600.0
_LONGEST_GATEWAY_S = 60.0

# Binance: the weight that an address has used in this minute. Beyond the limit it is banned soon.
_WEIGHT_HEADER, _WEIGHT_LIMIT, _WEIGHT_WINDOW_S = "x-mbx-used-weight-1m", 6000.0, 60.0
_NEAR = 0.9


def rate_headers(headers: Mapping[str, str], secret: Secret) -> dict[str, str] | None:
    """The headers of a response that are about limits, whoever sent it; null if there is none. Names in lower case."""
    names = (name for name in sorted(headers) if len(name) <= _LONGEST and _NAMES.fullmatch(name))
    return {name: secret.remove(headers[name])[:_LONGEST] for name in islice(names, _MOST)} or None


def quiet_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds until the next request may come; null if one may come now. What makes no sense is not obeyed."""
    waits = [
        _gateway_s(headers),
        _weight_s(headers, now),
        _combined_s(headers.get("ratelimit", ""), now),
        *(_window_s(headers.get(left, ""), headers.get(reset, ""), now) for left, reset in _WINDOWS),
    ]
    return max((wait for wait in waits if wait is not None), default=None)


def _window_s(left: str, reset: str, now: datetime) -> float | None:
    remaining, at = _number(left), _number(reset)
    if remaining is None or at is None or remaining > 0:
        return None
    at = at / 1000 if at > 1e11 else at
    wait = at - now.timestamp() if at > 1e8 else at
    return wait if 0 < wait <= _LONGEST_WINDOW_S else None


def _combined_s(value: str, now: datetime) -> float | None:
    """Of several policies, the first that has none left counts."""
    for policy in re.split(r",(?=\s*\")", value):
        left, reset = _REMAINING.search(policy), _RESET.search(policy)
        if left and reset and (wait := _window_s(left[1], reset[1], now)):
            return wait
    return None


def _gateway_s(headers: Mapping[str, str]) -> float | None:
    """KuCoin's gateway counts in milliseconds."""
    left = _number(headers.get("gw-ratelimit-remaining", ""))
    reset_ms = _number(headers.get("gw-ratelimit-reset", ""))
    if left is None or reset_ms is None or left > 0:
        return None
    return reset_ms / 1000 if 0 < reset_ms <= 1000 * _LONGEST_GATEWAY_S else None


def _weight_s(headers: Mapping[str, str], now: datetime) -> float | None:
    used = _number(headers.get(_WEIGHT_HEADER, ""))
    if used is None or not _NEAR * _WEIGHT_LIMIT < used <= 10 * _WEIGHT_LIMIT:
        return None
    return _WEIGHT_WINDOW_S - now.timestamp() % _WEIGHT_WINDOW_S


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text.strip()) else None
