"""Loads that wait to be stored: whether their number grows, and why."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from lcw_assets.alerts.incidents import Observation
from lcw_assets.defs.monitoring.codes import Cause, Code
from lcw_assets.defs.monitoring.sla import Sla
from lcw_assets.ingest.spool import Spool
from lcw_assets.settings import DataSettings
from lcw_assets.warehouse.errors import Holder


def watched_spools(settings: DataSettings) -> list[Spool]:
    """The spool of each source, in the mode of this installation."""
    return [Spool(folder) for folder in settings.spool_folders()]


def growing_spool(spools: Sequence[Spool], before: int, sla: Sla, now: datetime) -> tuple[int, list[Observation]]:
    """How many loads wait to be stored, and whether that is too many and not fewer than `before`."""
    waiting = {spool.folder: spool.pending() for spool in spools}
    depth = sum(map(len, waiting.values()))
    if depth < sla.watch.spooled_cycles or depth < before:
        return depth, []
    since = now
    for path in (path for paths in waiting.values() for path in paths):
        with suppress(FileNotFoundError):  # stored since it was listed
            since = min(since, datetime.fromtimestamp(path.stat().st_mtime, timezone.utc))
    where = " and ".join(f"{len(paths)} in {folder}" for folder, paths in waiting.items() if paths)
    what = f"responses wait, {where}, and are not stored: nothing is lost, and the tables are not up to date"
    cause = str(_why_not_stored(spools, waiting))
    return depth, [Observation(incident="spool", severity="warning", what=what, since=since, cause=cause)]


def _why_not_stored(spools: Sequence[Spool], waiting: Mapping[Path, Sequence[Path]]) -> Cause:
    """The process that had the database open when the newest waiting load failed to store, if any."""
    waits: list[Mapping[str, Any]] = []
    for spool in spools:
        for path in waiting[spool.folder][-1:]:
            with suppress(ValueError, OSError):  # damaged: storing it reports that
                spooled = spool.read(path)
                waits += spooled.lock_waits[-1:] if spooled else []
    last = max(waits, key=lambda wait: wait["waited_at"], default=None)
    if last is None:
        return Cause(Code.database_unusable)
    at = datetime.fromisoformat(last["waited_at"])
    return Cause(Code.database_locked, {"holder": Holder(last["holder"], last["pid"]), "at": f"{at:%H:%M:%S}"})
