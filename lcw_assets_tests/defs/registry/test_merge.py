"""Any sequence of responses, beside a model of ten lines: the same state, and each event once."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lcw_assets_tests.defs.registry.syncs import NOON, Registry, body, contract

STATUSES = {"Open": "active", "Paused": "paused", "Settled": "settled"}
# The first contract is always there with all of its fields: what none has any more is another story, told elsewhere.
ANCHOR = contract("ANCHOR", maxLeverage=1)

fields = st.fixed_dictionaries(
    {
        "status": st.sampled_from(list(STATUSES)),
        "maxLeverage": st.sampled_from([None, 20, 75.5]),
        "takerFeeRate": st.sampled_from([..., 0.0006, "6E-4", ""]),
        "isInverse": st.sampled_from([..., True, False]),
        "sourceExchanges": st.sampled_from([["a", "b"], ["b", "a"], ["c"]]),
        "markPrice": st.sampled_from([..., 1, "2.50"]),
    }
)
responses = st.lists(st.dictionaries(st.sampled_from("ABCD"), fields), max_size=6)


class Model:
    """The registry as a dictionary."""

    def __init__(self) -> None:
        self.tokens: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[Any, ...]] = []
        self.snapshots: list[tuple[Any, ...]] = []

    def take(self, minute: int, response: dict[str, dict[str, Any]]) -> None:
        for symbol, fields in response.items():
            new = {
                "status": STATUSES[fields["status"]],
                "max_leverage": number(fields["maxLeverage"]),
                "taker_fee_rate": number(fields["takerFeeRate"]),
                "is_inverse": None if fields.get("isInverse", ...) is ... else fields["isInverse"],
                "source_exchanges": sorted(fields["sourceExchanges"]),
                "mark_price": number(fields["markPrice"]),
            }
            old = self.tokens.get(symbol)
            if old is None or old["status"] != new["status"]:
                event = "listed" if old is None else "relisted" if old["status"] == "delisted" else "status_changed"
                self.events.append((minute, symbol, event, "status", old and old["status"], new["status"]))
            for name in ("max_leverage", "taker_fee_rate", "is_inverse", "source_exchanges"):
                if old is not None and old[name] != new[name]:
                    self.events.append((minute, symbol, "parameter_changed", name, text(old[name]), text(new[name])))
            if old is None or old["status"] == "delisted" or old["mark_price"] != new["mark_price"]:
                self.snapshots.append((minute, symbol, new["mark_price"]))
            self.tokens[symbol] = new
        for symbol, token in self.tokens.items():
            if symbol not in response and token["status"] != "delisted":
                self.events.append((minute, symbol, "delisted", "status", token["status"], "delisted"))
                token["status"] = "delisted"


def number(given: Any) -> float | None:
    return None if given in (None, ..., "") else float(given)


def text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


@given(responses)
@settings(max_examples=40)
def test_any_sequence_of_responses_gives_the_state_of_the_model(story: list[dict[str, dict[str, Any]]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        registry, model = (
            Registry(
                Path(folder), {"LCW_REGISTRY_MAX_DELISTED_SHARE": "1.0", "LCW_REGISTRY_MAX_DELISTED_COUNT": "1000"}
            ),
            Model(),
        )
        for minute, response in enumerate(story, 1):
            whole = {"ANCHOR": {**ANCHOR, "isInverse": True}, **response}
            contracts = [contract(symbol, **fields) for symbol, fields in response.items()]
            registry.receive(body({**ANCHOR, "isInverse": True}, *contracts))
            model.take(minute, whole)
        registry.store()
        if not story:
            return
        columns = "status, max_leverage, taker_fee_rate, is_inverse, source_exchanges, mark_price"
        assert {symbol: rest for symbol, *rest in registry.tokens(f"symbol, {columns}")} == {
            symbol: list(token.values()) for symbol, token in model.tokens.items()
        }
        assert registry.events() == sorted(model.events, key=lambda event: event[:4])
        moved = registry.query("SELECT observed_at, symbol, mark_price FROM registry.token_snapshots")
        assert sorted((symbol, at, price or 0) for at, symbol, price in moved) == sorted(
            (symbol, NOON + timedelta(minutes=minute), price or 0) for minute, symbol, price in model.snapshots
        )
