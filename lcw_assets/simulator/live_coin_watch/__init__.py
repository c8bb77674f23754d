"""Live Coin Watch, simulated: its path, its key and credits, and its own faults."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from lcw_assets.simulator.live_coin_watch.aggregate import Aggregate
from lcw_assets.simulator.live_coin_watch.endpoints import ENDPOINTS
from lcw_assets.simulator.live_coin_watch.replay import Replay
from lcw_assets.simulator.live_coin_watch.request import ApiError, ApiRequest
from lcw_assets.simulator.market import Market
from lcw_assets.simulator.provider import Cache, Option, Provider, RateLimit, Request, Response, to_json

_DAY_S = 86_400


class LiveCoinWatch:
    """The endpoints over one market. With an `api_key`, everything but `status` needs it; a call costs a credit.

    `replay` is a folder of recorded responses to serve instead of the market.
    """

    def __init__(
        self,
        market: Market,
        *,
        api_key: str | None = None,
        credits_per_day: int = 10_000,
        replay: Path | None = None,
    ) -> None:
        self._aggregate = Aggregate(market)
        self._api_key = api_key
        self._credits = RateLimit(credits_per_day, _DAY_S, aligned=True)
        self._replay = Replay(replay) if replay else None
        self._cache = Cache()

    def respond(self, request: Request, fault: str) -> Response:
        """`repeated` is a page with coins of the page before it, `wrong_shape` an object where a list is due."""
        try:
            self._admit(request)
            return Response(200, self._body(request, fault), usable=fault != "wrong_shape")
        except ApiError as error:
            return Response(error.code, to_json(error.document))

    def error(self, status: int) -> Response:
        return Response(status, to_json(ApiError(status).document))

    def document(self, endpoint: str, body: bytes, now: datetime) -> Any:
        """What is sent for one request, as JSON values. Raises `ApiError`."""
        try:
            fields = json.loads(body) if body.strip() else {}
        except ValueError:
            raise ApiError(400) from None
        if not isinstance(fields, dict):
            raise ApiError(400)
        if self._replay:
            return self._replay.document(endpoint, fields)
        request = ApiRequest(self._aggregate, fields, now, self._credits.remaining(now), self._credits.limit)
        return ENDPOINTS[endpoint](request)

    def _admit(self, request: Request) -> None:
        """Method, path, key and credits, in that order."""
        if request.method != "POST":
            raise ApiError(405)
        if request.path not in ENDPOINTS:
            raise ApiError(404)
        if request.path == "status":
            return
        if self._api_key is not None and request.headers.get("x-api-key") != self._api_key:
            raise ApiError(401)
        if not self._credits.spend(request.now):
            raise ApiError(402)

    def _body(self, request: Request, fault: str) -> bytes:
        def whole() -> bytes:
            return to_json(self.document(request.path, request.body, request.now))

        if fault == "repeated":
            return to_json(self.document(request.path, _one_page_back(request.body), request.now))
        if fault == "wrong_shape":
            document = self.document(request.path, request.body, request.now)
            return to_json({"data": document} if isinstance(document, list) else [document])
        if request.path == "credits":
            return whole()
        return self._cache.get(request.minute, (request.path, request.body), whole)


def _one_page_back(body: bytes) -> bytes:
    fields: dict[str, Any] = json.loads(body) if body.strip() else {}
    if "offset" in fields:
        fields["offset"] = max(0, int(fields["offset"]) - 5)
    return to_json(fields)


PROVIDER = Provider(
    name="live_coin_watch",
    title="Live Coin Watch",
    setting="LCW_BASE_URL",
    service=LiveCoinWatch,
    roots=("coins", "credits", "exchanges", "fiats", "overview", "platforms", "status"),
    options=(
        Option("api_key", str, "respond only to requests with this key"),
        Option("credits_per_day", int, "credits a day (10000)", flag="--credits"),
        Option("replay", Path, "serve recorded responses in this folder, instead of the market"),
    ),
    faults=frozenset({"repeated", "wrong_shape"}),
)
