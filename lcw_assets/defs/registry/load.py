"""What only a sync of the token registry does: its one call, its tables, its own checks, its news."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from lcw_assets import escape
from lcw_assets.alerts.incidents import Alert
from lcw_assets.alerts.outbox import Outbox
from lcw_assets.defs.registry.apply import apply
from lcw_assets.defs.registry.facts import Phases, SyncResult, sync_detail
from lcw_assets.defs.registry.layout import MOST_UNORDERED, cluster, unordered
from lcw_assets.defs.registry.news import alerts, not_stored, read_news
from lcw_assets.defs.registry.plausible import Limits
from lcw_assets.defs.registry.state import RegistryState, read_state
from lcw_assets.ingest.hooks import Finding, Hooks, Log, Markdown, Outcome, StoredLoad
from lcw_assets.ingest.load import PROCESS_DIED, Load, PlannedCall
from lcw_assets.ingest.run_clock import RunClock
from lcw_assets.ingest.spool_file import Spooled, quarantined
from lcw_assets.ingest.store import COMPACT_EVERY
from lcw_assets.rounding import rounded
from lcw_assets.sources.kucoin_futures.client import ENDPOINT
from lcw_assets.sources.kucoin_futures.records import Contracts, NoContractsError, read_contracts
from lcw_assets.sources.records import Refusal
from lcw_assets.warehouse.tables import CLOCKS_DIFFER

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.ingest.facts import Status
    from lcw_assets.settings import Settings

# The status of a sync as the status of a load.
_STATUS: dict[str, Status] = {"applied": "complete", "older": "complete", "held": "partial", "failed": "failed"}


@dataclass(frozen=True)
class SyncData:
    """Of a stored sync; `news` are names by event."""

    result: SyncResult
    phases: Phases
    news: Mapping[str, Sequence[str]]
    state: RegistryState


class SyncHooks(Hooks):
    """`deliver` takes alerts; the sensors send what is in the outbox, every ten seconds."""

    names: ClassVar[Mapping[str, str]] = {"fetch_s": "api_s"}  # as in `ops.syncs`

    def __init__(
        self,
        settings: Settings,
        log: Log,
        now: datetime | None = None,
        deliver: Callable[[Sequence[Alert]], None] | None = None,
    ) -> None:
        super().__init__(settings, log, now)
        self.limits = Limits(settings.registry_max_delisted_share, settings.registry_max_delisted_count)
        self.new_for = timedelta(hours=settings.registry_new_hours)
        self.deliver = deliver or partial(Outbox(settings.alerts_dir, lambda run_id: run_id).put, log=log.warning)
        self._left_at = 0.0  # the hooks, when the runner begins to write the facts

    def plan(self, clock: RunClock) -> Sequence[PlannedCall]:  # noqa: ARG002
        return [PlannedCall("contracts", ENDPOINT, {}, ENDPOINT)]

    def received(self, call: PlannedCall, document: Contracts) -> int:  # noqa: ARG002
        return len(document.records)

    def begin(self, db: DuckDBPyConnection) -> None:
        # So a commit writes into the file at once, and not into a log first, which closing would copy a moment later:
        # that takes a seventh of the time at 5,000 contracts.
        db.execute("SET checkpoint_threshold = '1KB'")

    def store(self, db: DuckDBPyConnection, spooled: Spooled) -> Outcome:
        phases = Phases(api=spooled.end.fetch_s if spooled.end else None)
        result, refused = self._apply(db, spooled, phases)
        with phases.of("write"):
            kept = _is_kept(db, result, refused, spooled.load.source, self.now)
        with phases.of("checks"):
            changes = result.changes
            changed = changes.listed or changes.relisted or changes.delisted
            news = read_news(db, spooled.load.load_id, result.observed_at) if changed and result.observed_at else {}
            state = read_state(db)
        self._left_at = time.perf_counter()
        return Outcome(
            seen=result.contracts,
            changed=changes.snapshots,
            status=_STATUS[result.status],
            quarantine=refused,
            observed_at=result.observed_at,
            keep_bodies=kept,
            data=SyncData(result, phases, news, state),
        )

    def _written(self, phases: Phases) -> None:
        """The phase `write` includes what the runner writes: responses and calls before the facts, then the commit."""
        now = time.perf_counter()
        phases.write += now - self._left_at
        self._left_at = now

    def detail(self, outcome: Outcome) -> Mapping[str, Any]:
        self._written(outcome.data.phases)
        return sync_detail(outcome.data.result, outcome.data.phases)

    def committed(self, db: DuckDBPyConnection, load: Load, outcome: Outcome | None) -> None:
        """News is delivered after the commit and before the spool forgets the sync: once, even if a process dies."""
        if outcome:
            self._written(outcome.data.phases)
            observed_at = outcome.data.result.observed_at
            news = alerts(outcome.data.news, observed_at, load.run_id) if observed_at else []
        else:
            row = db.execute("SELECT observed_at FROM ops.loads WHERE load_id = ?", [load.load_id]).fetchone()
            observed_at = row[0] if row else None
            known = read_news(db, load.load_id, observed_at) if observed_at else {}
            news = not_stored(db, alerts(known, observed_at, load.run_id)) if observed_at and known else []
        if observed_at:
            self.deliver(news)

    def finish(self, db: DuckDBPyConnection, stored: Sequence[StoredLoad]) -> None:
        state = stored[-1].outcome.data.state if stored else None
        if state and state.syncs % COMPACT_EVERY == 0 and unordered(db, state.events) >= MOST_UNORDERED:
            cluster(db)

    def findings(self, stored: StoredLoad) -> Iterable[Finding]:
        data: SyncData = stored.outcome.data
        result = data.result
        yield Finding(
            "no_mass_delisting",
            "registry/tokens",
            escape.markdown(result.reason or "held") if result.status == "held" else "",
            {"contracts": result.contracts, "missing": result.missing, "listed": data.state.listed},
        )
        lost = f"no contract has {', '.join(result.lost_fields)} any more, and what was known is kept. Unknown fields: "
        unknown = ", ".join(map(escape.name, result.unknown)) or "none"
        wrong = escape.markdown(lost + unknown) if result.lost_fields else ""
        yield Finding("no_field_lost", "registry/tokens", wrong)

    def summary(self, table: str, stored: StoredLoad) -> Mapping[str, Any]:
        data: SyncData = stored.outcome.data
        state, result, changes = data.state, data.result, data.result.changes
        status = {"status": result.status}
        if table == "registry.tokens":
            return status | {
                "contracts": result.contracts,
                "active": state.active,
                "new": state.new,
                "listed": changes.listed,
                "relisted": changes.relisted,
                "delisted": changes.delisted,
                "changed": changes.parameter_changes + changes.status_changes,
                "quarantined": stored.row["quarantined"],
                "unknown_fields": ", ".join(result.unknown) or "none",
                "newest_listings": Markdown(state.newest_markdown()),
            }
        if table == "registry.token_events":
            return status | {"rows_added": changes.events}
        if table == "registry.token_snapshots":
            return status | {"rows_added": changes.snapshots}
        phases = {f"{name}_s": rounded(seconds) for name, seconds in vars(data.phases).items() if name != "api"}
        return status | {"sync_s": rounded(data.phases.total), **phases}

    def describe(self, stored: StoredLoad) -> str:
        """A terminal has a line for each cycle, but for syncs only lines about news."""
        data: SyncData = stored.outcome.data
        result, changes = data.result, data.result.changes
        if result.status == "applied":
            self.log.info(
                f"{result.contracts:,} contracts: {changes.listed:,} listed, {changes.relisted:,} back, "
                f"{changes.delisted:,} delisted, {changes.status_changes:,} changes of status, "
                f"{changes.parameter_changes:,} of parameters, {changes.snapshots:,} moved"
            )
        else:
            self.log.warning(f"{stored.load.load_id} is {result.status}: {result.reason}")
        for event, names in data.news.items():
            self.log.result(f"{event}: {escape.some(sorted(names))}")
        self.log.info(str(data.phases))
        return ""

    def _apply(
        self, db: DuckDBPyConnection, spooled: Spooled, phases: Phases
    ) -> tuple[SyncResult, list[dict[str, Any]]]:
        """The result of the sync, and the rows of `ops.quarantine`."""
        refused = spooled.quarantine()
        missing = spooled.end.missing if spooled.end else [PROCESS_DIED]
        result = SyncResult("failed", reason="; ".join(map(str, missing)) or "nothing was answered")
        for row in spooled.responses:
            with phases.of("load"):
                try:
                    contracts = read_contracts(row["payload"])
                except NoContractsError as error:  # a response that an older version accepted
                    contracts = Contracts((), [Refusal(str(error), 1, row["payload"])])
                read_contracts.cache_clear()  # nobody reads it a third time, and 5,000 contracts are 40 MB
            refused += [quarantined(row, str(refusal), refusal.text) for refusal in contracts.refusals]
            if contracts.records or not contracts.refusals:
                result = apply(
                    db,
                    contracts.records,
                    observed_at=datetime.fromisoformat(row["received_at"]),
                    now=self.now,
                    sync_id=spooled.load.load_id,
                    limits=self.limits,
                    new_for=self.new_for,
                    phases=phases,
                )
        return result, refused


def _is_kept(
    db: DuckDBPyConnection, result: SyncResult, refused: Sequence[Mapping[str, Any]], source: str, now: datetime
) -> bool:
    """Is the whole response stored? Once an hour, whenever it was not applied, and for a new refusal.

    The tables have its content anyway. Every response would be 1 GB a day, and a tenth of a sync's time at 5,000
    contracts.
    """
    if result.status != "applied":
        return True
    hour = [source, (result.observed_at or now) - timedelta(hours=1), now + CLOCKS_DIFFER]
    within = "WHERE source = ? AND received_at > ? AND received_at <= ?"
    if db.execute(f"SELECT 1 FROM raw.pulls {within} LIMIT 1", hour).fetchone() is None:  # noqa: S608 - our own
        return True
    if not refused:
        return False
    known = db.execute(f"SELECT DISTINCT reason FROM ops.quarantine {within}", hour)  # noqa: S608 - our own
    return not {row["reason"] for row in refused}.issubset(reason for (reason,) in known.fetchall())
