"""The database for a step that can wait for it, as all can that have no spool to leave their work in."""

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

    A kind of its own, so that whoever alerts can tell: it is no reason to wake anybody.
    """


@contextmanager
def database(
    context: dg.AssetExecutionContext, *, read_only: bool = False, config: Mapping[str, Any] | None = None
) -> "Iterator[DuckDBPyConnection]":
    """For as short as can be: a cycle that wants to store waits meanwhile. What is wrong ends the step in one line."""
    warehouse: WarehouseResource = context.resources.warehouse
    try:
        with warehouse.get_connection(read_only=read_only, config=config) as db:
            yield db
    except WarehouseError as error:
        raise failure(error, "The tables are as they were, and the next run does it") from None


def failure(error: Exception, more: str = "") -> dg.Failure:
    """Why a step ends, in one line. Trying again at once mends none of it."""
    kind = StillLockedError if isinstance(error, LockedError) else dg.Failure
    return kind(f"{error}. {more}" if more else str(error), allow_retries=False)
