"""The log of a run on a terminal: the time, the step, and one line. Dagster's own logger has 58 lines for two steps.

Under `dagster dev` all runs share one terminal, where a cycle of 14 calls would be 17 lines a minute: there a run
shows only results (`RESULT`) and problems, and the UI has the rest.
"""

import logging
import os
import sys
import weakref
from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets import escape
from lcw_assets.orchestration.dagster_private import using_dagster_dev

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo

# The `extra` of a log line with the result of a run: context.log.info("stored ...", extra=RESULT).
RESULT = {"lcw_result": True}

# Errors that the user can correct. Their text is enough; all others need the traceback.
_SAID_IN_WORDS = {"Failure", "StillLockedError", "LockedError", "WarehouseError", "SettingsError"}


@dg.logger({}, description="One line a message, from INFO up; no traceback for a mistake in the settings.")
def console_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("lcw_assets", logging.INFO)
    # Straight to the terminal. While a step runs, Dagster has its stderr in a file that a `tail` mirrors and that ends
    # with the step: on a busy machine before the last line, which says why the step failed.
    try:
        number = os.dup(sys.__stderr__.fileno())  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):
        return logger  # closed: nobody reads it
    terminal = os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(terminal)
    weakref.finalize(handler, terminal.close)
    handler.setFormatter(_Formatter(datefmt="%H:%M:%S"))
    if using_dagster_dev():
        handler.addFilter(lambda record: record.levelno > logging.INFO or hasattr(record, "lcw_result"))
    logger.addHandler(handler)
    return logger


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta: dict[str, Any] = getattr(record, "dagster_meta", {})
        event: dg.DagsterEvent | None = meta.get("dagster_event")
        said = _text(record, meta, event)
        return f"{self.formatTime(record, self.datefmt)} {meta.get('step_key') or 'run'}: {escape.lines(said)}"


def _text(record: logging.LogRecord, meta: dict[str, Any], event: "dg.DagsterEvent | None") -> str:
    if event is None:
        said = str(meta.get("orig_message") or record.getMessage())
        return "not run" if said.startswith("Dependencies for step") else said
    if event.event_type == dg.DagsterEventType.RUN_FAILURE and _said_by_a_step(event):
        return "failed"
    error: SerializableErrorInfo | None = getattr(event.event_specific_data, "error", None)
    root = error
    while root is not None and root.cause is not None:
        root = root.cause
    if root is not None and root.cls_name == dg.DagsterExecutionInterruptedError.__name__:
        return "interrupted"  # by Ctrl-C, or by Terminate in the UI
    if root is not None and root.cls_name in _SAID_IN_WORDS:
        return f"failed: {root.message.partition(': ')[2].strip()}"
    return f"{event.message}\n{error}" if error else str(event.message)


def _said_by_a_step(event: dg.DagsterEvent) -> bool:
    """A run may fail without a failed step, for example if its own storage breaks."""
    return getattr(event.event_specific_data, "first_step_failure_event", None) is not None
