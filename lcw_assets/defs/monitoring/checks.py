"""The SLA as checks of `ops/cycles`, within the step that stores a cycle: a step of their own would cost a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from lcw_assets import escape
from lcw_assets.defs.monitoring.sla import CheckName, Sla, SlaError, load_sla
from lcw_assets.rounding import rounded, seconds
from lcw_assets.settings import DataSettings, SettingsError

if TYPE_CHECKING:
    from lcw_assets.defs.monitoring.sla_state import SlaState, WindowState

_ASSET = ("ops", "cycles")
_DESCRIPTIONS: dict[CheckName, str] = {
    "cycle_time": "This cycle was not slow: 30 s warn, 60 s are an error, unless the SLA file says otherwise.",
    "sla_1h": "The cycles of the last hour meet their targets: p95, p99, mean, share over 60 s, complete, errors.",
    "sla_72h": "The cycles of the last 72 hours meet their targets: the same measures.",
}


def read_sla() -> Sla | SlaError:
    """The SLA, or what is wrong with its file: that is for a check to say, and no reason for a cycle to fail."""
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
    """Each with the numbers, the targets, and where one is missed the likely cause."""
    if isinstance(sla, SlaError):
        return [_result(name, passed=False, description=f"not checked: {sla}") for name in _DESCRIPTIONS]
    if sla_state is None:
        return []
    return [_cycle_result(sla_state, sla), *(_window_result(*window, sla) for window in sla_state.windows.items())]


def _cycle_result(sla_state: SlaState, sla: Sla) -> dg.AssetCheckResult:
    limits = sla.checks
    description = f"{seconds(sla_state.cycle_s)}, target at most {limits.cycle_warn_s:g} s"
    if sla_state.cycle_s > limits.cycle_error_s:
        description += f", and an error over {limits.cycle_error_s:g} s"
    return _result(
        "cycle_time",
        passed=sla_state.cycle_s <= limits.cycle_warn_s,
        description=description + (f". Likely cause: {escape.markdown(sla_state.cause)}" if sla_state.cause else ""),
        error=sla_state.cycle_s > limits.cycle_error_s,
        metadata={"cycle_s": rounded(sla_state.cycle_s)},
    )


def _window_result(name: CheckName, window: WindowState, sla: Sla) -> dg.AssetCheckResult:
    broken = [verdict for verdict in window.verdicts if not verdict.passed]
    description = f"{window.measures.cycles:,} cycles: " + "; ".join(map(str, broken or window.verdicts))
    return _result(
        name,
        passed=not broken,
        description=description + (f". Likely cause: {escape.markdown(window.cause)}" if window.cause else ""),
        error=name in sla.checks.blocking,  # only an error blocks
        metadata={
            "cycles": window.measures.cycles,
            **{verdict.target.name: rounded(verdict.value) for verdict in window.verdicts if verdict.value is not None},
        },
    )


def _result(
    name: str, *, passed: bool, description: str, error: bool = False, metadata: dict[str, float] | None = None
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=list(_ASSET),
        passed=passed,
        severity=dg.AssetCheckSeverity.ERROR if error else dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata or {},
    )
