"""What a concept fills in of a load. Everything else the runner does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from lcw_assets.ingest.facts import Status
from lcw_assets.ingest.load import Load, Missing, PlannedCall
from lcw_assets.ingest.run_clock import RunClock
from lcw_assets.ingest.spool_file import Spooled

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.ingest.fetch import Fetched
    from lcw_assets.settings import Settings


class Log(Protocol):
    """The log of a load. A terminal shows a `result` even when it shows nothing else."""

    def info(self, text: str) -> None: ...

    def warning(self, text: str) -> None: ...

    def result(self, text: str) -> None: ...


@dataclass(frozen=True)
class Outcome:
    """What storing a load did.

    `seen` and `changed` count records; `came`: something else came as well. `status` is null if it follows from these
    and from `missing`. `quarantine` has rows of `ops.quarantine` without the load's id; `quarantined` counts the
    records and responses in them (null: one a row). `detail` is what only this kind of load has; `data` is for the
    concept's own checks and summaries.
    """

    seen: int = 0
    changed: int = 0
    came: bool = False
    status: Status | None = None
    missing: Sequence[Missing] = ()
    quarantine: Sequence[Mapping[str, Any]] = ()
    quarantined: int | None = None
    observed_at: datetime | None = None
    keep_bodies: bool = True
    detail: Mapping[str, Any] = field(default_factory=dict)
    data: Any = None


@dataclass(frozen=True)
class StoredLoad:
    """A load that is in the tables now; `row` is its row of `ops.loads`."""

    load: Load
    row: Mapping[str, Any]
    outcome: Outcome


@dataclass(frozen=True)
class TableState:
    """A table after a store step. If its declaration says so: the number of duplicate rows, the first keys of rows with
    a value below zero, and the time of the newest response that the table agrees with.
    """

    rows: int
    duplicates: int = 0
    negative: Sequence[str] = ()
    confirmed_at: datetime | None = None


@dataclass(frozen=True)
class Finding:
    """The result of a check. `wrong` says what is wrong, in words; empty if it passed."""

    check: str
    asset: str
    wrong: str = ""
    metadata: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.wrong


class Hooks(ABC):
    """One object a run. `plan` and `store` have to be written; any other hook may be left out.

    `now` is the time of the run. `names` rename numbers in the metadata of the table of facts.
    """

    names: ClassVar[Mapping[str, str]] = {}

    def __init__(self, settings: Settings, log: Log, now: datetime | None = None) -> None:
        self.settings = settings
        self.log = log
        self.now = now or datetime.now(timezone.utc)

    def rounds(self, clock: RunClock) -> Sequence[datetime]:  # noqa: ARG002
        """When further loads of the same run begin, in order: each one from there is a load of its own."""
        return ()

    def prepare(self, db: DuckDBPyConnection) -> None:  # noqa: B027
        """Read what the plan needs. Not called where the tables do not exist yet, or the database is locked."""

    @abstractmethod
    def plan(self, clock: RunClock) -> Sequence[PlannedCall]:
        """The calls of a load, in the order in which they are to be made. Called once a load."""

    def received(self, call: PlannedCall, document: Any) -> int:  # noqa: ARG002
        """How many entries a response has, as its client returned it. Called as responses come."""
        return sum(isinstance(entry, dict) for entry in document) if isinstance(document, list) else 1

    def failed(self, fetched: Fetched) -> bool:
        """Did the load get nothing that it needs?"""
        return not fetched.succeeded

    def fetch_findings(self, fetched: Fetched, calls: int) -> Iterable[Finding]:  # noqa: ARG002
        """Checks of raw assets. `calls` is the number of calls of a whole load."""
        return ()

    def begin(self, db: DuckDBPyConnection) -> None:  # noqa: B027
        """Called when the database is open, before the first load is stored."""

    @abstractmethod
    def store(self, db: DuckDBPyConnection, spooled: Spooled) -> Outcome:
        """Bring the tables up to a load, within its transaction."""

    def detail(self, outcome: Outcome) -> Mapping[str, Any]:
        """Called just before the row of `ops.loads` is written."""
        return outcome.detail

    def committed(self, db: DuckDBPyConnection, load: Load, outcome: Outcome | None) -> None:  # noqa: B027
        """Called after the commit and before the spool forgets the load; `outcome` is null if its process died between
        the two, and another one committed it. What is done here is done at least once.
        """

    def finish(self, db: DuckDBPyConnection, stored: Sequence[StoredLoad]) -> None:  # noqa: B027
        """Called when all that waited is stored, before the database is closed."""

    def confirmed_at(self, db: DuckDBPyConnection, table: str, not_after: datetime) -> datetime | None:  # noqa: ARG002
        """The time of the newest response that a table agrees with, if no column of it says that."""
        return None

    def findings(self, stored: StoredLoad) -> Iterable[Finding]:  # noqa: ARG002
        """The concept's own checks of a load that got something."""
        return ()

    def summary(self, table: str, stored: StoredLoad) -> Mapping[str, Any]:  # noqa: ARG002
        """Metadata of a table's materialization, besides that of every table."""
        return {}

    def describe(self, stored: StoredLoad) -> str:
        """One line for the log of the run that stored it, which every terminal shows; empty if there is none."""
        row = stored.row
        return f"{row['records_seen']:,} records seen, {row['records_changed']:,} changed"


@dataclass(frozen=True)
class Markdown:
    """A text of a summary that is shown as Markdown; foreign parts of it are escaped already."""

    text: str
