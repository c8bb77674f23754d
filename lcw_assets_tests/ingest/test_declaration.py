"""A load that declares what there is not fails as it is declared, in one line that says what was expected."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lcw_assets.defs.market.definitions import fetch_cycle
from lcw_assets.defs.registry.definitions import token_registry_sync
from lcw_assets.ingest.declaration import Check, DeclarationError, Table

HOOKS = "lcw_assets.defs.market.load"


def coins(**changes: Any) -> dict[str, Any]:
    return {"tables": (Table(key="market/coins", description="Coins.", **changes),)}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tables": (Table(key="market/coin", description="Coins."),)},
         "the load fetch_cycle writes market.coin, which no file of warehouse/sql/ makes"),
        ({"facts": Table(key="ops/cycle", description="Facts.")},
         "the load fetch_cycle writes ops.cycle, which no file of warehouse/sql/ makes"),
        (coins(unique=("code", "coin")), "the load fetch_cycle checks market.coins.coin: there is no such column"),
        (coins(not_negative=("price",)), "the load fetch_cycle checks market.coins.price: there is no such column"),
        (coins(fresh_by="seen_at"), "the load fetch_cycle checks market.coins.seen_at: there is no such column"),
        ({"hooks": f"{HOOKS}:Hook"}, f"has hooks='{HOOKS}:Hook': the module has no such class: expected module:Class"),
        ({"hooks": HOOKS}, f"has hooks='{HOOKS}': there is no such module: expected module:Class"),
        ({"hooks": "lcw_assets.defs.markets.load:CycleHooks"}, "there is no such module: expected module:Class"),
        ({"hooks": ""}, "has hooks='': there is no such module: expected module:Class of this project"),
        ({"raw": {}}, "the load fetch_cycle declares no raw asset"),
        ({"source": "lcw"}, "has source='lcw': expected a Source"),
        (coins(unique="code"), "has unique='code' for market.coins: expected a tuple of texts"),
        (coins(deps=("raw/coin",)), "has deps='raw/coin' for market.coins: expected one of status, credits"),
        (coins(fresh_by="code"), "has fresh_by='code' for market.coins: expected a column of moments"),
        ({"hooks": "lcw_assets.defs.market.audit:PageAudit"}, "its class has no method plan"),
        ({"deadline_s": "nothing"}, "has deadline_s='nothing': expected seconds, or the name of a setting"),
        ({"max_runtime_s": "90"}, "has max_runtime_s='90': expected a number"),
        ({"check_names": {"freshh": "x"}}, "has check_names of 'freshh': expected one of complete, failure_rate"),
        ({"checks": ("x",)}, "has the check 'x': expected a Check of one of its assets"),
        ({"checks": (Check("x", "market/coin", ""),)}, "expected a Check of one of its assets"),
        ({"tables": ()}, "the load fetch_cycle declares no table"),
    ],
)  # fmt: skip
def test_a_declaration_that_is_wrong(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(DeclarationError) as raised:
        replace(fetch_cycle, **changes)
    assert says in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1


def test_a_check_whose_limit_is_null_is_not_there_and_others_may_have_another_name() -> None:
    names = {(check.asset, check.name) for check in token_registry_sync.standard_checks()}
    assert names == {
        ("registry/tokens", "symbols_unique"), ("registry/tokens", "fresh"), ("ops/syncs", "complete"),
        ("ops/syncs", "sync_time"), ("ops/syncs", "failure_rate"),
    }  # fmt: skip
    fewer = replace(token_registry_sync, load_time_s=None, failures_under=None, facts=None)
    own = {check.name for check in fewer.standard_checks() if check.asset == "registry/token_snapshots"}
    assert own == {"complete"}  # of the last table, where a load has no table of facts
