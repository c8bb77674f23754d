"""The SLA as checks of `ops/cycles`, within the step that stores a cycle: a step of their own would cost a second."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets import escape
from lcw_assets.defs.monitoring.sla import CheckName, Sla, SlaError, load_sla
from lcw_assets.settings import DataSettings, SettingsError

if TYPE_CHECKING:
    from lcw_assets.defs.monitoring.codes import Cause
    from lcw_assets.defs.monitoring.sla_state import SlaState

# Metadata of a failed check whose cause is known: what was measured against which target, and the cause in words.
MEASURED, CAUSE = "measured", "cause"

_ASSET = ("ops", "cycles")
_DESCRIPTIONS: dict[CheckName, str] = {
    "cycle_time": "This cycle was not slow: 30 s warn, 60 s are an error, unless the SLA file says otherwise.",
    "sla_1h": "The cycles of the last hour meet their targets: p95, p99, mean, share over 60 s, complete, errors.",
    "sla_72h": "The cycles of the last 72 hours meet their targets: the same measures.",
}


def read_sla() -> Sla | SlaError:
    """The SLA, or what is wrong with its file: a check reports that, and no cycle fails for it."""
    try:
        return load_sla(DataSettings().sla_file)
    except SettingsError as error:
        return SlaError(str(error))
    except SlaError as error:
        return error


def sla_checks() -> list[dg.AssetCheckSpec]:
    """Which of them block is part of the definitions, so a change of that takes a reload."""
    sla = read_sla()
    blocking = sla.checks.blocking if isinstance(sla, Sla) else ()
    return [
        dg.AssetCheckSpec(name, asset=list(_ASSET), description=description, blocking=name in blocking)
        for name, description in _DESCRIPTIONS.items()
    ]


def sla_results(sla_state: SlaState | None, sla: Sla | SlaError) -> list[dg.AssetCheckResult]:
    """Each with the numbers, the targets, and if one is missed the likely cause."""
    if isinstance(sla, SlaError):
        return [_result(name, f"not checked: {sla}", passed=False) for name in _DESCRIPTIONS]
    return [_result(**vars(check)) for check in sla_state or ()]


def _result(
    name: CheckName,
    measured: str,
    passed: bool,
    error: bool = False,
    numbers: Mapping[str, float] | None = None,
    causes: Sequence[Cause] = (),
) -> dg.AssetCheckResult:
    """What was measured, and why: in one description for people, and as metadata for programs."""
    cause = "; ".join(map(str, causes))
    explained: dict[str, Any] = {
        MEASURED: measured,
        CAUSE: escape.line(cause),
        "cause_code": ", ".join(cause.code.name for cause in causes),
        "causes": dg.MetadataValue.json([cause.to_row() for cause in causes]),
    }
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=list(_ASSET),
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
        description=measured + (f". Likely cause: {escape.markdown(cause)}" if causes else ""),
        metadata={**(numbers or {}), **(explained if causes else {})},
    )
