"""What every asset of the project has, so that the UI explains itself."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg

from lcw_assets import __version__
from lcw_assets.warehouse.schema import tables
from lcw_assets_tests.defs.market.test_fetch_cycle import ASSETS
from lcw_assets_tests.defs.prices.test_quote_prices import ASSETS as PRICES
from lcw_assets_tests.defs.registry.test_token_registry_sync import ASSETS as REGISTRY

REPORTS = {"reports/performance_72h", "reports/performance_daily", "reports/slow_cycles"}
HISTORY = {f"history/{who}_{grid}" for who in ("coin", "overview") for grid in ("daily", "hourly", "5min")}
PRICE_CHECKS = 15
DERIVED = {"market/coin_bars", "ops/gaps"}


def test_every_asset_explains_itself(definitions: dg.Definitions) -> None:
    specs = {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}
    assert set(specs) == ASSETS | REGISTRY | PRICES | REPORTS | HISTORY | DERIVED
    for key, spec in specs.items():
        assert spec.description
        assert spec.owners == ["team:lcw-assets"]
        assert spec.group_name == key.split("/")[0]
        assert spec.kinds
        assert spec.code_version == __version__
        [code] = spec.metadata["dagster/code_references"].code_references
        line = Path(code.file_path).read_text().splitlines()[code.line_number - 1]
        assert re.search(r"spec\(|Table\(|LoadDeclaration\(", line), (key, line)
        concept = Path(code.file_path).parent
        assert (concept.parent.name, concept.name) == ("defs", spec.tags["lcw/concept"])
        assert (spec.freshness_policy is None) == (key in HISTORY)  # the past does not age
        table = spec.metadata["dagster/table_name"]
        assert table == ("raw.pulls" if key.startswith("raw/") else key.replace("/", "."))
        schema = spec.metadata["dagster/column_schema"]
        assert [column.name for column in schema.columns] == [column.name for column in tables()[table]]
        assert all(column.description for column in schema.columns)


def test_every_table_that_users_read_is_an_asset(definitions: dg.Definitions) -> None:
    shown = {spec.metadata["dagster/table_name"] for spec in definitions.resolve_all_asset_specs()}
    assert set(tables()) - shown == {
        *("ops.quarantine", "ops.resources", "ops.alerts", "ops.clusterings", "ops.loads", "ops.lock_waits"),
        *("history.revisions", "history.asked", "market.coin_checkpoints"),
    }


def test_every_check_explains_itself(definitions: dg.Definitions) -> None:
    checks = list(definitions.resolve_asset_graph().asset_check_keys)
    assert len(checks) == 20 + len(HISTORY) + 1 + PRICE_CHECKS
    assert all(definitions.resolve_asset_graph().get_check_spec(key).description for key in checks)
