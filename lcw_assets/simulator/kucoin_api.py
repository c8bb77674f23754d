"""KuCoin's endpoint over the simulated futures market: its envelope, its rate limit, and what goes wrong with it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime

from lcw_assets.simulator.faults import Fault
from lcw_assets.simulator.kucoin import Futures
from lcw_assets.simulator.noise import uniform

ENDPOINT = "api/v1/contracts/active"
_WEIGHT = 3
_WINDOW_S = 30.0


@dataclass
class KuCoinApi:
    """The endpoint. `limit` is the weight that may be asked for in 30 s, counted from the first request."""

    market: Futures
    limit: int = 2000
    _window: tuple[float, int] = (0.0, 0)
    _answers: dict[int, bytes] = field(default_factory=dict)

    def answer(self, method: str, now: datetime, fault: Fault) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers. The headers tell the rate limit; an overloaded server's 429 has none."""
        if method != "GET":
            return 405, _error("405000", "Method not allowed"), {}
        if fault.kind == "error":
            code = f"{fault.status}000"
            return fault.status, _error(code, "Too many requests" if fault.status == 429 else "Service error"), {}
        spent, headers = self._spend(now)
        if spent > self.limit:
            return 429, _error("429000", "Too many requests in a short period of time, please retry later"), headers
        body = self._body(int(now.timestamp()) // 60, fault)
        return 200, body[: len(body) // 2] if fault.kind == "truncated" else body, headers

    def _spend(self, now: datetime) -> tuple[int, dict[str, str]]:
        since, spent = self._window
        if not 0 <= now.timestamp() - since < _WINDOW_S:
            since, spent = now.timestamp(), 0
        spent += _WEIGHT
        self._window = since, spent
        return spent, {
            "gw-ratelimit-limit": str(self.limit),
            "gw-ratelimit-remaining": str(max(0, self.limit - spent)),
            "gw-ratelimit-reset": str(int(1000 * (since + _WINDOW_S - now.timestamp()))),
        }

    def _body(self, minute: int, fault: Fault) -> bytes:
        if fault.kind == "none":
            if minute not in self._answers:
                self._answers = {old: kept for old, kept in self._answers.items() if abs(old - minute) < 30}
                self._answers[minute] = _envelope(self._documents(minute))
            return self._answers[minute]
        documents = self._documents(minute)
        if fault.kind == "empty":
            documents = []
        elif fault.kind == "half":
            documents = documents[: len(documents) // 2]
        elif fault.kind == "repeated":
            documents += documents[:5]
        elif fault.kind == "renamed":
            documents = [document.replace('"takerFeeRate"', '"takerFee"') for document in documents]
        elif fault.kind == "lost_field":
            documents = [
                re.sub(r'"maxLeverage":\d+,', "", document) if uniform(minute, "lost", place) < 0.1 else document
                for place, document in enumerate(documents)
            ]
        elif fault.kind == "wrong_shape":
            return json.dumps({"code": "200000", "data": {"contracts": len(documents)}}).encode()
        return _envelope(documents)

    def _documents(self, minute: int) -> list[str]:
        return [self.market.document(contract, minute) for contract in self.market.listed(minute)]


def _envelope(documents: list[str]) -> bytes:
    return f'{{"code":"200000","data":[{",".join(documents)}]}}'.encode()


def _error(code: str, message: str) -> bytes:
    return json.dumps({"code": code, "msg": message}).encode()
