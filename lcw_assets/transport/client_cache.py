"""What one client keeps of its responses, and when one of them serves instead of a request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lcw_assets.transport.cache import Kept, ResponseCache, validators
from lcw_assets.transport.call import Call
from lcw_assets.transport.errors import TransientError
from lcw_assets.transport.facts import Response
from lcw_assets.transport.secret import Secret


class ClientCache:
    """The part of a `cache` that belongs to a server, a source and a key; without a cache it keeps nothing."""

    def __init__(self, cache: ResponseCache | None, source: str, base_url: str, secret: Secret) -> None:
        self._cache = cache
        self._source = source
        self._base_url = base_url
        self._secret = secret

    def find(self, call: Call[Any]) -> Kept | None:
        return self._cache.get(self._key(call)) if self._cache else None

    def serve(self, call: Call[Any], kept: Kept | None) -> Response | None:
        """The kept response, if it is young enough to serve without a request."""
        if kept is None or self._cache is None or self._cache.age_s(kept) >= (call.lifetime_s or 0.0):
            return None
        return kept.cached(self._source, call.endpoint, call.request)

    def conditions(self, call: Call[Any], kept: Kept | None) -> Mapping[str, str]:
        """The headers that let the server send a 304. (For a POST they would mean something else.)"""
        return kept.conditions() if kept and call.method == "GET" else {}

    def whole(self, response: Response, kept: Kept | None) -> Response:
        """The response, or the one that its 304 stands for. Raises `TransientError` if that is gone."""
        if response.http_status != 304:
            return response
        if kept is None:
            reason = f"{self._base_url} says that nothing has changed (304) since a response that nobody has"
            raise TransientError(response.endpoint, reason, outcome="server_error")
        return kept.confirmed(response)

    def keep(self, call: Call[Any], response: Response, kept: Kept | None) -> None:
        """Keep an accepted response, if it may serve later: for its lifetime, or until it has changed."""
        if self._cache is None or response.origin == "cached" or response.http_status != 200:
            return
        tags = validators(response)
        texts = (response.text, *tags.values())
        if any(self._secret.remove(text) is not text for text in texts):
            return
        if call.lifetime_s or (tags and call.method == "GET"):
            confirmed = kept if response.origin == "unchanged" else None
            self._cache.put(self._key(call), confirmed.renewed(response) if confirmed else Kept.of(response))

    def forget(self, call: Call[Any]) -> None:
        if self._cache:
            self._cache.remove(self._key(call))

    def _key(self, call: Call[Any]) -> str:
        place = [self._source, self._base_url, call.method, call.endpoint, call.request]
        return self._secret.digest(json.dumps(place, sort_keys=True, default=str))
