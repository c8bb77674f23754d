"""What is checked of every sync, within the step that makes it. All of them warn: they stop nothing."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import dagster as dg

from lcw_assets import escape
from lcw_assets.rounding import percent, rounded, seconds

if TYPE_CHECKING:
    from lcw_assets.defs.registry.state import RegistryState
    from lcw_assets.defs.registry.store import StoredSync

_SYNC_WITHIN_S = 10.0
_STALE_AFTER_S = 180.0
_FAILURES_UNDER = 0.05

_CHECKS = {
    "symbols_unique": ("registry/tokens", "No two rows have the same symbol."),
    "no_mass_delisting": ("registry/tokens", "The answer was plausible: it did not lack too many contracts."),
    "no_field_lost": ("registry/tokens", "Every field that contracts had is still told."),
    "fresh": ("registry/tokens", "Contracts were seen within the last three minutes."),
    "sync_time": ("ops/syncs", "The sync took at most 10 s."),
    "failure_rate": ("ops/syncs", "Under 5 % of the last hour's syncs failed."),
}


def registry_checks() -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(name, asset=asset.split("/"), description=description)
        for name, (asset, description) in _CHECKS.items()
    ]


def registry_results(sync: "StoredSync", state: "RegistryState", now: datetime) -> Iterator[dg.AssetCheckResult]:
    found = sync.found
    yield _result("symbols_unique", state.duplicates == 0, f"{state.duplicates} rows too many")
    yield _result(
        "no_mass_delisting",
        found.status != "held",
        found.reason or "",
        {"contracts": found.contracts, "missing": found.missing, "listed": state.listed},
    )
    yield _result(
        "no_field_lost",
        not found.lost_fields,
        f"no contract has {', '.join(found.lost_fields)} any more, and what was known is kept. "
        f"Unknown fields: {', '.join(map(escape.name, found.unknown)) or 'none'}",
    )
    yield from failed_results(sync, state, now)


def failed_results(sync: "StoredSync", state: "RegistryState", now: datetime) -> Iterator[dg.AssetCheckResult]:
    """What there is to say of a sync also if nothing was answered."""
    sync_s, rate = sync.phases.total, state.failed / state.recent
    if state.newest is None:
        yield _result("fresh", False, "no contract was ever seen")
    else:
        age_s = (now - state.newest).total_seconds()
        stale = (
            f"no contract was seen for {seconds(age_s)}" if age_s > 0 else f"seen {seconds(-age_s)} ahead of this clock"
        )
        yield _result("fresh", abs(age_s) <= _STALE_AFTER_S, stale, {"age_s": rounded(age_s)})
    yield _result("sync_time", sync_s <= _SYNC_WITHIN_S, str(sync.phases), {"sync_s": rounded(sync_s)})
    yield _result(
        "failure_rate",
        rate < _FAILURES_UNDER,
        f"{state.failed} of the last hour's {state.recent} syncs failed ({percent(rate)})",
        {"failed": state.failed, "syncs": state.recent},
    )


def _result(name: str, passed: bool, wrong: str, metadata: Mapping[str, float] | None = None) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=_CHECKS[name][0].split("/"),
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=None if passed else escape.markdown(wrong),
        metadata=metadata or {},
    )
