"""What only a fetch cycle does: its plan, its tables, its own checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar

from lcw_assets import escape
from lcw_assets.defs.market.audit import PageAudit, audit_pages
from lcw_assets.defs.market.parse import ParsedPage, parse, table_pages
from lcw_assets.defs.market.plan import plan_cycle, wants_profiles
from lcw_assets.defs.market.shortfall import find_shortfalls
from lcw_assets.ingest.fetch import Fetched
from lcw_assets.ingest.hooks import Finding, Hooks, Outcome, StoredLoad
from lcw_assets.ingest.load import Load, PlannedCall
from lcw_assets.ingest.run_clock import PERIOD, RunClock
from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.rounding import seconds
from lcw_assets.sources.lcw.records import Credits, Records, read_records
from lcw_assets.warehouse.tables import CLOCKS_DIFFER, Merged, append_changed, merge, one_row

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ENDPOINTS = {"market.coins": "coins/list", "market.exchanges": "exchanges/list", "market.overview_ticks": "overview"}


@dataclass(frozen=True)
class CycleData:
    """Of a stored cycle, by table: how many records came and how many changed it; refusals by endpoint; the
    comparison of its pages.
    """

    merged: Mapping[str, Merged]
    quarantined: Mapping[str, int]
    pages: PageAudit


class CycleHooks(Hooks):
    names: ClassVar[Mapping[str, str]] = {"load_s": "cycle_s", "fetch_s": "pull_s"}  # as in `ops.cycles`
    credits: Credits | None = None

    def plan(self, clock: RunClock) -> Sequence[PlannedCall]:
        settings = self.settings
        return plan_cycle(
            coins=settings.coins,
            exchanges=settings.exchanges,
            currency=settings.currency,
            meta=wants_profiles(clock.scheduled_at, database_exists=settings.database.exists()),
        )

    def received(self, call: PlannedCall, document: Any) -> int:
        if call.part == "credits":
            with suppress(ValueError):
                self.credits = Credits.model_validate(document)
        return len(document.records) if isinstance(document, Records) else super().received(call, document)

    def failed(self, fetched: Fetched) -> bool:
        return not any(part.entries for part in fetched.essential)

    def fetch_findings(self, fetched: Fetched, calls: int) -> Iterable[Finding]:  # noqa: ARG002
        """Nothing about credits if LCW did not send their number."""
        if self.credits is None:
            return
        left, limit = self.credits.remaining, self.credits.limit
        cost = calls - 1  # `status` is free
        midnight = (self.now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        cycles = int((midnight - self.now) / PERIOD)
        wrong = (
            f"{left:,} of {limit:,} credits are left; {cycles:,} cycles of {cost} calls until 00:00 UTC need "
            f"{cost * cycles:,}: lower LCW_COINS, or run the schedule less often"
        )
        metadata = {"credits_left": left, "cycles_left_today": cycles}
        yield Finding("enough_for_today", "raw/credits", wrong if left < cost * cycles else "", metadata)

    def store(self, db: DuckDBPyConnection, spooled: Spooled) -> Outcome:
        cycle, parsed = spooled.load, parse(spooled)
        coins = self._merge(db, "market.coins", "market.coin_ticks", cycle, parsed.coins)
        exchanges = self._merge(db, "market.exchanges", "market.exchange_ticks", cycle, parsed.exchanges)
        overview = Merged()
        for page in parsed.overview:
            for record in page.records:
                overview = append_changed(
                    db,
                    "market.overview_ticks",
                    record.model_dump(),
                    observed_at=page.received_at,
                    currency=cycle.currency,
                    cycle_id=cycle.load_id,
                )
        merged = {
            "market.coins": coins,
            "market.coin_ticks": coins,
            "market.exchanges": exchanges,
            "market.exchange_ticks": exchanges,
            "market.overview_ticks": overview,
            "ops.calls": Merged(len(spooled.attempts), len(spooled.attempts)),
        }
        missing, end = find_shortfalls(spooled, parsed)
        if end:
            missing += end.against(_coins_before(db, cycle))
        return Outcome(
            seen=coins.seen,
            changed=coins.changed,
            came=bool(coins.seen or exchanges.seen or overview.seen),
            missing=missing,
            quarantine=parsed.quarantine,
            quarantined=sum(parsed.quarantined.values()),
            data=CycleData(merged, parsed.quarantined, audit_pages(parsed.coins)),
        )

    def _merge(
        self, db: DuckDBPyConnection, latest: str, ticks: str, cycle: Load, pages: Sequence[ParsedPage[Any]]
    ) -> Merged:
        return merge(
            db,
            latest,
            ticks,
            table_pages(pages),
            currency=cycle.currency,
            cycle_id=cycle.load_id,
            not_after=datetime.now(timezone.utc) + CLOCKS_DIFFER,
        )

    def confirmed_at(self, db: DuckDBPyConnection, table: str, not_after: datetime) -> datetime | None:
        """A row of `overview_ticks` is a change; a response that changes nothing leaves only its body."""
        if table != "market.overview_ticks":
            return None
        [confirmed_at] = one_row(
            db,
            "SELECT max(received_at) FROM raw.pulls AS pull WHERE endpoint = 'overview' "
            "AND received_at > $not_after::TIMESTAMPTZ - INTERVAL 1 DAY AND received_at <= $not_after AND NOT EXISTS ("
            "FROM ops.quarantine WHERE endpoint = 'overview' AND received_at = pull.received_at)",
            {"not_after": not_after},
        )
        found: datetime | None = confirmed_at
        return found

    def findings(self, stored: StoredLoad) -> Iterable[Finding]:
        pages: PageAudit = stored.outcome.data.pages
        wrong = [*(f"rank {rank}" for rank in pages.absent_ranks), *pages.repeated]
        meaning = f"{pages.absent} coins fell between pages and {len(pages.repeated)} stood in two"
        yield Finding(
            "no_gap_or_repeat",
            "market/coins",
            f"{meaning}: {escape.some(wrong, escape.markdown)}" if wrong else "",
            {"received": pages.received, "absent": pages.absent, "repeated": len(pages.repeated)},
        )

    def finish(self, db: DuckDBPyConnection, stored: Sequence[StoredLoad]) -> None:  # noqa: ARG002
        read_records.cache_clear()  # nobody reads them a third time

    def summary(self, table: str, stored: StoredLoad) -> Mapping[str, Any]:
        data = stored.outcome.data
        if table == "ops.cycles":
            return {}
        merged = data.merged[table]
        counts = {"rows_added": merged.changed}
        if table in ("market.coins", "market.exchanges"):
            counts = {
                "rows_seen": merged.seen,
                "rows_changed": merged.changed,
                "rows_unchanged": merged.seen - merged.changed,
            }
        if table in _ENDPOINTS:
            counts["rows_quarantined"] = data.quarantined.get(_ENDPOINTS[table], 0)
        return counts

    def describe(self, stored: StoredLoad) -> str:
        row = stored.row
        return (
            f"stored {row['load_id']}, {row['status']}: {row['records_seen']:,} coins seen, {row['records_changed']:,} "
            f"changed, {row['quarantined']} quarantined, in {seconds(row['store_s'])}; "
            f"the cycle took {seconds(row['load_s'])}"
        )


def _coins_before(db: DuckDBPyConnection, cycle: Load) -> int:
    """The number of coins in the latest cycle whose list came whole."""
    row = db.execute(
        "SELECT coins_seen FROM ops.cycles "
        "WHERE status = 'complete' AND source = ? AND currency = ? AND coins_seen > 0 ORDER BY started_at DESC LIMIT 1",
        [cycle.source, cycle.currency],
    ).fetchone()
    return int(row[0]) if row else 0
