"""Alerts that wait: a file each, until every channel has accepted it and `ops.alerts` has it.

So an alert survives a channel that is down, a locked database, and the death of its process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from lcw_assets.alerts.channels import Channel, send_all
from lcw_assets.alerts.incidents import Alert
from lcw_assets.coordination import files, locks
from lcw_assets.warehouse.errors import LockedError, WarehouseError
from lcw_assets.warehouse.tables import append_row, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# A channel that fails is tried again after 30 s, 1, 2, 4, ... minutes: seven times within half an hour. By then the
# incident is over or repeated, and the row of `ops.alerts` names the channels that did not accept it.
_RETRY_S = 30.0
_TRIES = 7

# An evaluation of a sensor may take a minute, and until it ends nothing is watched.
_FLUSH_S = 10.0


class _Letter(BaseModel):
    """An alert in the outbox. `waits`: it was logged that the database is open elsewhere."""

    alert: Alert
    delivered: list[str] = []
    undelivered: dict[str, str] = {}
    tries: int = 0
    next_at: datetime | None = None
    stored: bool = False
    waits: bool = False


class Outbox:
    """The alerts of one source. `link` makes the address of a run in the UI from its id."""

    def __init__(self, folder: Path, link: Callable[[str], str]) -> None:
        self._folder = folder
        self._link = link
        self._unsaved: dict[Path, _Letter] = {}

    def put(self, alerts: Sequence[Alert], log: Callable[[str], None]) -> None:
        """Write them to disk. If the disk takes nothing, the next `flush` sends them once all the same.

        One that exists already stays as it is: it may have been sent by now.
        """
        for alert in alerts:
            path, letter = self._folder / f"{alert.alert_id}.json", _Letter(alert=alert)
            if path.exists():
                continue
            try:
                _write(path, letter)
            except OSError as error:
                log(f"{self._folder} takes no alerts ({error.strerror}): this one is tried once, from memory")
                self._unsaved[path] = letter

    def flush(
        self,
        channels: Sequence[Channel],
        connect: Callable[[], AbstractContextManager[DuckDBPyConnection]],
        now: datetime,
        log: Callable[[str], None],
    ) -> None:
        """Send what is due, and store it. What cannot be sent or stored stays, and is tried again by a later flush.

        Takes some 20 s at most: the sensor that flushes also watches. So the worst come first, and a channel that fails
        one of them is skipped for the rest.
        """
        if not self._unsaved and not self._waiting():
            return
        with self._alone() as alone:
            if not alone:
                return
            letters = self._letters(log) | self._unsaved
            self._unsaved = {}
            ends = time.monotonic() + _FLUSH_S
            working = list(channels)
            for path, letter in sorted(letters.items(), key=_urgency):
                if _is_due(letter, now) and time.monotonic() < ends:
                    self._send(letter, channels, working, now, log)
                    self._save(path, letter)
            self._store(letters, connect, log)
            for path, letter in letters.items():
                if letter.stored and letter.next_at is None and letter.tries:
                    with suppress(OSError):
                        path.unlink(missing_ok=True)

    def _store(
        self,
        letters: Mapping[Path, _Letter],
        connect: Callable[[], AbstractContextManager[DuckDBPyConnection]],
        log: Callable[[str], None],
    ) -> None:
        import duckdb

        try:
            with connect() as db:
                for path, letter in letters.items():
                    if not letter.stored:
                        _insert(db, letter, self._run_link(letter.alert))
                        letter.stored = True
                        self._save(path, letter)
        except LockedError as error:
            new = {path: letter for path, letter in letters.items() if not letter.stored and not letter.waits}
            for path, letter in new.items():
                letter.waits = True
                self._save(path, letter)
            if new:
                log(f"alerts wait in {self._folder} to be stored: {error}")
        except (WarehouseError, duckdb.Error) as error:
            log(f"alerts wait in {self._folder} to be stored: {str(error).splitlines()[0]}")

    def failing_channels(self, log: Callable[[str], None]) -> dict[str, str]:
        """Channels that have failed an alert at least twice and do not have it yet, each with the latest reason."""
        letters = self._letters(log).values()
        return {name: why for letter in letters if letter.tries > 1 for name, why in letter.undelivered.items()}

    def _send(
        self,
        letter: _Letter,
        channels: Sequence[Channel],
        working: list[Channel],
        now: datetime,
        log: Callable[[str], None],
    ) -> None:
        """Send to all `channels` that do not have it and are `working`; removes those that fail from `working`."""
        left = [channel for channel in channels if channel.name not in letter.delivered]
        skipped = "not tried: it had just failed another alert"
        results: dict[str, str | None] = {channel.name: skipped for channel in left}
        results |= send_all([one for one in left if one in working], letter.alert, self._run_link(letter.alert))
        working[:] = [channel for channel in working if not results.get(channel.name)]
        letter.delivered += [name for name, why in results.items() if why is None]
        letter.undelivered = {name: why for name, why in results.items() if why is not None}
        letter.tries += 1
        letter.stored = False
        again = letter.undelivered and letter.tries < _TRIES
        letter.next_at = now + timedelta(seconds=_RETRY_S * 2 ** (letter.tries - 1)) if again else None
        for name, why in letter.undelivered.items():
            then = f"tried again from {letter.next_at:%H:%M:%S} UTC" if letter.next_at else "given up"
            log(f"channel {name} did not take {letter.alert.alert_id}, try {letter.tries} of {_TRIES}: {why}; {then}")

    def _run_link(self, alert: Alert) -> str | None:
        return self._link(alert.run_id) if alert.run_id else None

    def _waiting(self) -> list[Path]:
        return sorted(self._folder.glob("*.json"))

    def _letters(self, log: Callable[[str], None]) -> dict[Path, _Letter]:
        letters = {}
        for path in self._waiting():
            try:
                letters[path] = _Letter.model_validate_json(path.read_bytes())
            except FileNotFoundError:
                continue  # sent by another sensor since it was listed
            except (ValidationError, IsADirectoryError):
                log(f"{path} is no alert; it is set aside as {path.rename(path.with_suffix('.unreadable'))}")
            except OSError as error:
                log(f"{path} cannot be read: {error.strerror}")
        return letters

    def _save(self, path: Path, letter: _Letter) -> None:
        """Save, if the disk takes it: what is sent is sent."""
        with suppress(OSError):
            _write(path, letter)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        """Is no other sensor sending right now? It would send the same."""
        try:
            folder = os.open(self._folder, os.O_RDONLY)
        except OSError:
            yield True  # all there is to send is in memory
            return
        try:
            yield locks.acquire(folder)
        finally:
            os.close(folder)


def _write(path: Path, letter: _Letter) -> None:
    files.write_file(path, letter.model_dump_json(), sync=True)


def _is_due(letter: _Letter, now: datetime) -> bool:
    return letter.tries == 0 or (letter.next_at is not None and letter.next_at <= now)


def _urgency(item: tuple[Path, _Letter]) -> tuple[bool, datetime]:
    alert = item[1].alert
    return alert.severity != "critical", alert.raised_at


def _insert(db: DuckDBPyConnection, letter: _Letter, link: str | None) -> None:
    alert = letter.alert
    row: Mapping[str, object] = {
        **alert.model_dump(),
        "alert_id": alert.alert_id,
        "link": link,
        "delivered": letter.delivered,
        "undelivered": [f"{name}: {why}" for name, why in letter.undelivered.items()],
    }
    with transaction(db):
        db.execute("DELETE FROM ops.alerts WHERE alert_id = ?", [alert.alert_id])
        append_row(db, "ops.alerts", row)
