"""The database for a step that can wait for it, because it has no spool."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from lcw_assets.warehouse.errors import LockedError, WarehouseError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.orchestration.warehouse import WarehouseResource


class StillLockedError(dg.Failure):
    """The database stayed open elsewhere for as long as this run could wait. Nothing is broken, and nothing lost.

    A type of its own, so that alerts can be mild: it is no reason to wake anybody.
    """


@contextmanager
def database(
    context: dg.AssetExecutionContext, *, read_only: bool = False, config: Mapping[str, Any] | None = None
) -> "Iterator[DuckDBPyConnection]":
    """Open the database, briefly: cycles wait meanwhile. An error ends the step in one line."""
    warehouse: WarehouseResource = context.resources.warehouse
    try:
        with warehouse.get_connection(read_only=read_only, config=config) as db:
            yield db
    except WarehouseError as error:
        raise failure(error, "The tables are as they were, and the next run does it") from None


def failure(error: Exception, more: str = "") -> dg.Failure:
    """The failure of a step, in one line. A retry at once would not help."""
    kind = StillLockedError if isinstance(error, LockedError) else dg.Failure
    return kind(f"{error}. {more}" if more else str(error), allow_retries=False)
