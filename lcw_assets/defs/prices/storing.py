"""From a spooled round to the tables: what the sources sent, what follows from it, and what is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lcw_assets.defs.prices import rows
from lcw_assets.defs.prices.cross_check import CrossCheck, cross_check
from lcw_assets.defs.prices.health import Health, HealthLimits
from lcw_assets.defs.prices.picture import window
from lcw_assets.defs.prices.pricing import Response, Round, Rules, price_round
from lcw_assets.defs.prices.state import Names, read_before
from lcw_assets.ingest.spool_file import Spooled, quarantined
from lcw_assets.instruments.store import record_attempt, replace_markets
from lcw_assets.settings.prices import GROUP
from lcw_assets.sources.spec import Source, group
from lcw_assets.sources.tickers import NoTickersError
from lcw_assets.warehouse.statements import Statements
from lcw_assets.warehouse.tables import append

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.settings import Settings

_SQL = Statements(__file__)


@dataclass(frozen=True)
class RoundData:
    """Of a stored round, for its checks and its metadata."""

    round: Round
    names: Names
    healths: Mapping[str, Health]
    compared: CrossCheck
    deviations: Sequence[Mapping[str, Any]] = ()


@dataclass
class Sent:
    """What a spooled round has: the tickers by source, rows of `ops.quarantine`, and whether a list was requested."""

    responses: list[Response] = field(default_factory=list)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    lists: bool = False


class PriceSources:
    """The sources of prices and their clients, by the names that they declare."""

    def __init__(self) -> None:
        self.by_name: Mapping[str, Source] = group(GROUP).sources
        self.clients: Mapping[str, Any] = {name: one.client_class() for name, one in self.by_name.items()}
        # Facts and responses of demo data have other names; coins and markets do not.
        self._declared = {name: one.name for one in self.by_name.values() for name in (one.name, one.demo_name)}

    def of(self, row: Mapping[str, Any]) -> str | None:
        """Whose response or attempt it is; null of a source that is no more."""
        return self._declared.get(row["source"])

    def is_list(self, row: Mapping[str, Any]) -> bool:
        name = self.of(row)
        return name is not None and row["endpoint"] == self.clients[name].list_endpoint

    def read(self, db: DuckDBPyConnection, spooled: Spooled, known: Names) -> Sent:
        """The responses of a round; its lists of markets are written."""
        sent, load_id = Sent(quarantine=spooled.quarantine()), spooled.load.load_id
        for attempt in filter(self.is_list, spooled.attempts):
            sent.lists = True
            record_attempt(db, str(self.of(attempt)), datetime.fromisoformat(attempt["started_at"]), load_id)
        for row in spooled.responses:
            name, received_at = self.of(row), datetime.fromisoformat(row["received_at"])
            if name is None:
                sent.quarantine.append(quarantined(row, "there is no such source any more", row["payload"]))
                continue
            try:
                if self.is_list(row):
                    found = self.clients[name].read_markets(row["payload"])
                else:  # with the same markets as when it came, so that it is not parsed again
                    found = self.clients[name].read_tickers(row["payload"], known.markets(name))
            except NoTickersError as error:  # a response that an older version accepted
                sent.quarantine.append(quarantined(row, str(error), row["payload"]))
                continue
            sent.quarantine += [quarantined(row, str(refusal), refusal.text) for refusal in found.refusals]
            if not self.is_list(row):
                sent.responses.append(Response(name, received_at, found.records))
            elif wrong := replace_markets(db, name, found.records, received_at, load_id):
                sent.quarantine.append(quarantined(row, wrong, row["payload"][:2_000]))
        return sent

    def called(self, spooled: Spooled) -> list[str]:
        """The sources whose tickers the round planned to get, whoever responded."""
        planned = [row for row in spooled.planned if row.get("source") in self.clients]
        return [row["source"] for row in planned if row["endpoint"] == self.clients[row["source"]].endpoint]

    def attempts(self, spooled: Spooled) -> dict[str, list[Mapping[str, Any]]]:
        found: dict[str, list[Mapping[str, Any]]] = {}
        for attempt in spooled.attempts:
            if name := self.of(attempt):
                found.setdefault(name, []).append(attempt)
        return found


def moment_of(spooled: Spooled) -> datetime:
    """The moment of a round: when its fetch ended or, if its process died, when its last response had come."""
    if spooled.end:
        return spooled.end.ended_at
    received = [datetime.fromisoformat(row["received_at"]) for row in spooled.responses]
    return max([spooled.load.started_at, *received])


def store_round(
    db: DuckDBPyConnection,
    spooled: Spooled,
    sources: PriceSources,
    responses: Sequence[Response],
    *,
    names: Names,
    rules: Rules,
    settings: Settings,
    now: datetime,
) -> RoundData:
    """Price it, and write what came of it."""
    at, load_id = moment_of(spooled), spooled.load.load_id
    before, called = read_before(db, at, now), sources.called(spooled)
    wanted = [Response(one.source, one.received_at, names.wanted(one.source, one.tickers)) for one in responses]
    received = {(one.source, ticker.market): one.received_at for one in wanted for ticker in one.tickers}
    found = price_round(
        wanted,
        names.instruments,
        names.symbols,
        called,
        at,
        last_rates=before.rates,
        history=before.history(received),
        rules=rules,
    )
    endpoints = {name: client.endpoint for name, client in sources.clients.items()}
    costs = {name: source.call_cost for name, source in sources.by_name.items()}
    facts = rows.fact_rows(found, sources.attempts(spooled), endpoints, costs, load_id)
    append(db, "prices.quotes", rows.quote_rows(found, load_id))
    append(db, "prices.consensus", rows.consensus_rows(found, before.latest, load_id))
    append(db, "prices.rates", rows.rate_rows(found, load_id))
    append(db, "prices.source_loads", facts)
    compared = cross_check(db, found, before.off_since, currency=settings.currency, limit=settings.prices_lcw_deviation)
    latest = rows.latest_rows(found, before.latest, load_id)
    if before.newest is None or before.newest < at:  # nothing of what is newest comes from a round that is stored late
        _replace(db, "prices.latest", latest, names.symbols)
        _replace(db, "prices.lcw_deviation", compared.rows, names.symbols)
        others = (*settings.price_backups.values(), *settings.price_witnesses, *called)
        judged = list(dict.fromkeys((*settings.price_sources, *others)))
        healths = before.healths_after(facts, judged, at, HealthLimits(budget=settings.prices_budget or None))
        db.execute("DELETE FROM prices.source_health")
        append(db, "prices.source_health", rows.health_rows(healths, before.health_rows, at))
    else:
        healths = before.healths
    deviations = _SQL.rows(db, "deviations", window(at, list(healths)))
    return RoundData(found, names, healths, compared, deviations)


def _replace(db: DuckDBPyConnection, table: str, new: Sequence[Mapping[str, Any]], symbols: Sequence[str]) -> None:
    """The rows of these coins, and none of coins that are not priced any more."""
    replaced = [row["symbol"] for row in new]
    db.execute(
        f"DELETE FROM {table} WHERE symbol IN (SELECT unnest($new)) OR "  # noqa: S608 - names of our own
        "(len($symbols) > 0 AND symbol NOT IN (SELECT unnest($symbols)))",
        {"new": replaced, "symbols": list(symbols)},
    )
    append(db, table, new)
