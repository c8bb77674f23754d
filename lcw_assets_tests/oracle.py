"""What a server's books say against what a client kept: was a response lost, is one there that nobody gave?

Not every response that was served was wanted to the end. A request that another one overtook (a hedge), or that took
longer than its client waits, is given up, and may be served all the same. Each of these leaves a fact. So of every
request: what was served is stored, or was given up, and nothing is stored that was not served.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lcw_assets.simulator.ledger import Entry

# Outcomes of requests that were sent, and whose response nobody read to its end.
_GIVEN_UP = {"superseded", "timeout", "connection"}

Request = tuple[str, str]
Stored = tuple[str, Any, str]  # endpoint, request, payload
Fact = tuple[str, Any, str]  # endpoint, request, outcome


def lost(served: Sequence[Entry], stored: Iterable[Stored], facts: Iterable[Fact]) -> list[str]:
    """Responses that were served, and neither stored nor given up. To be asked of a client that lived to the end."""
    kept = Counter(_request(endpoint, request) for endpoint, request, _ in stored)
    given_up = Counter(_request(endpoint, request) for endpoint, request, outcome in facts if outcome in _GIVEN_UP)
    missing = {request: times - kept[request] - given_up[request] for request, times in _served(served).items()}
    return [f"{endpoint} {request}" for (endpoint, request), times in missing.items() if times > 0]


def made_up(served: Sequence[Entry], stored: Iterable[Stored]) -> list[str]:
    """Responses that are stored, and were not served so, or not so often. To be asked of any client."""
    books = Counter((*_request(entry.endpoint, entry.request), entry.digest) for entry in served if entry.good)
    kept = Counter(
        (*_request(endpoint, request), hashlib.sha256(payload.encode()).hexdigest())
        for endpoint, request, payload in stored
    )
    return [f"{endpoint} {request}" for endpoint, request, _ in kept - books]


def _served(served: Sequence[Entry]) -> Counter[Request]:
    return Counter(_request(entry.endpoint, entry.request) for entry in served if entry.good)


def _request(endpoint: str, request: Mapping[str, Any] | str) -> Request:
    document = json.loads(request or "{}") if isinstance(request, str) else request
    return endpoint, json.dumps(document, sort_keys=True)
