"""An interrupted step ends: by Terminate in the UI, by Ctrl-C, or by whoever stops the machine's services."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def not_retried_when_interrupted() -> Iterator[None]:
    """For a step with a `RetryPolicy`, around what it does.

    Dagster applies the policy to interrupts as well: a run that was terminated began again, and ended as a success.
    A failure that allows no retry ends the run, as canceled if somebody asked for that.
    """
    try:
        yield
    except (dg.DagsterExecutionInterruptedError, KeyboardInterrupt) as error:
        raise dg.Failure("interrupted", allow_retries=False) from error
