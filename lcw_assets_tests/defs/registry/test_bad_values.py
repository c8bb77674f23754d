"""Values of KuCoin's that cannot be read: what they cost, and what they must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lcw_assets_tests.defs.registry.syncs import Registry, body, contract
from lcw_assets_tests.servers import raw_server, reply


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


ODD = {
    "lone surrogate": r'"Rocket \ud83d"',
    "5,000 digits": "9" * 5_000,
    "nested": "[" * 500 + "]" * 500,
    "infinite": "1e999",
}


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ["baseCurrency", "tickSize", "sourceExchanges", "aNewField"])
def test_a_value_costs_itself_for_as_long_as_its_contract_is_listed(registry: Registry, name: str, value: str) -> None:
    """It stopped the registry: no listing and no delisting was seen while that contract was there."""
    odd = contract("ODDUSDTM", aNewField=1)
    registry.minute(contract("AUSDTM"), odd)
    text = body(contract("AUSDTM"), odd | {name: "@"}, contract("BUSDTM")).replace('"@"', value)
    for _ in range(2):
        sync = registry.take(text)
        assert sync.found.status == "applied"
    assert registry.tokens() == [("AUSDTM", "active"), ("BUSDTM", "active"), ("ODDUSDTM", "active")]
    [(reasons,)] = registry.query(
        "SELECT count(DISTINCT sync_id) FROM (SELECT cycle_id AS sync_id FROM ops.quarantine)"
    )
    assert reasons == (0 if (name, value) == ("aNewField", "1e999") else 2)
    if name == "aNewField":
        [(unknown,)] = registry.query("SELECT unknown_fields FROM registry.tokens WHERE symbol = 'ODDUSDTM'")
        assert json.loads(unknown, parse_constant=pytest.fail)[name] in (None, [None])  # JSON that anybody can read
    assert registry.minute(contract("AUSDTM"), contract("BUSDTM")).found.changes.delisted == 1


def test_such_a_response_is_taken_over_http_and_requested_once(registry: Registry) -> None:
    text = body(contract("AUSDTM"), contract("ODDUSDTM", baseCurrency="@")).replace('"@"', ODD["lone surrogate"])
    with raw_server(reply("200 OK", text.encode(), "Content-Type: application/json")) as address:
        asked = registry.ask(address)
    assert (asked.parts["contracts"].entries, asked.missing) == (2, [])
    [sync] = registry.store().syncs
    assert (sync.found.status, sync.row["calls"]) == ("applied", 1)


def test_more_than_a_response_of_kucoin_can_have_is_read_no_further(registry: Registry) -> None:
    flood = b'{"code":"200000","data":[' + b" " * 17_000_000
    with raw_server(reply("200 OK", flood, "Content-Type: application/json")) as address:
        asked = registry.ask(address)
    assert "sends over 16,000,000 bytes, and is read no further" in asked.reason
    registry.store()
    [(reason, length)] = registry.query("SELECT reason, length(payload) FROM ops.quarantine")
    assert "sha256" in reason
    assert length == 2_000


any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    [
        "baseCurrency",
        "tickSize",
        "status",
        "firstOpenDate",
        "sourceExchanges",
        "nextFundingRateTime",
        "isInverse",
        "new",
    ]
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(fields, any_json, max_size=4), min_size=1, max_size=3))
def test_whatever_a_contract_says_its_neighbours_are_stored(
    tmp_path_factory: pytest.TempPathFactory, odd: list[dict[str, Any]]
) -> None:
    registry = Registry(tmp_path_factory.mktemp("registry"))
    others = [contract(f"ODD{number}USDTM") | values for number, values in enumerate(odd)]
    registry.receive(json.dumps({"code": "200000", "data": [contract("AUSDTM"), *others, contract("BUSDTM")]}))
    [sync] = registry.store().syncs
    assert sync.found.status == "applied"
    names = {symbol for symbol, _ in registry.tokens()}
    assert {"AUSDTM", "BUSDTM"} | {f"ODD{number}USDTM" for number in range(len(odd))} == names
