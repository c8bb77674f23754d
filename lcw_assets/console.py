"""What a run says on a terminal: the time, the step, and one line. Dagster's own logger says 58 lines for two steps."""

import logging
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo

# Errors that are the user's to mend. They are written to be read, so their text is enough; for all others the
# traceback is what helps.
_SAID_IN_WORDS = {"Failure", "SettingsError"}


@dg.logger({}, description="One line a message, from INFO up; no traceback for a mistake in the settings.")
def console_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("lcw_assets", logging.INFO)
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(datefmt="%H:%M:%S"))
    logger.addHandler(handler)
    return logger


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        meta: dict[str, Any] = getattr(record, "dagster_meta", {})
        event: dg.DagsterEvent | None = meta.get("dagster_event")
        return f"{self.formatTime(record, self.datefmt)} {meta.get('step_key') or 'run'}: {_text(record, meta, event)}"


def _text(record: logging.LogRecord, meta: dict[str, Any], event: "dg.DagsterEvent | None") -> str:
    if event is None:
        said = str(meta.get("orig_message") or record.getMessage())
        return "not run" if said.startswith("Dependencies for step") else said
    if event.event_type == dg.DagsterEventType.RUN_FAILURE:
        # Said again, because the terminal may have missed it: Dagster mirrors what a step prints through a `tail` that
        # it ends with the step, and on a busy machine that comes before the last line.
        step = getattr(event.event_specific_data, "first_step_failure_event", None)
        root = _root(step or event)
        return f"failed{f' in {step.step_key}' if step else ''}: {_reason(root) if root else event.message}"
    root = _root(event)
    if root is not None and root.cls_name in _SAID_IN_WORDS:
        return f"failed: {_reason(root)}"
    error = getattr(event.event_specific_data, "error", None)
    return f"{event.message}\n{error}" if error else str(event.message)


def _root(event: dg.DagsterEvent) -> "SerializableErrorInfo | None":
    """The innermost error of an event."""
    error: SerializableErrorInfo | None = getattr(event.event_specific_data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return error


def _reason(error: "SerializableErrorInfo") -> str:
    """What it says, without the name of its class."""
    return error.message.partition(": ")[2].strip() or error.message.strip()
