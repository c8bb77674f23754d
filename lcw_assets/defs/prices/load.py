"""What only a round of prices does: whom it calls, and how what they sent becomes quotes and a consensus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from lcw_assets import escape
from lcw_assets.defs.prices import shown
from lcw_assets.defs.prices.consensus import ConsensusLimits
from lcw_assets.defs.prices.failover import choose
from lcw_assets.defs.prices.findings import findings, why_out
from lcw_assets.defs.prices.health import Health, at_moment
from lcw_assets.defs.prices.lifetimes import DEFAULT_LIMITS
from lcw_assets.defs.prices.picture import as_markdown, deviation_picture
from lcw_assets.defs.prices.pricing import Rules
from lcw_assets.defs.prices.state import Names, read_known_healths, read_lifetime_s, read_names
from lcw_assets.defs.prices.storing import PriceSources, RoundData, moment_of, store_round
from lcw_assets.ingest.hooks import Finding, Hooks, Markdown, Outcome, StoredLoad
from lcw_assets.ingest.load import PlannedCall
from lcw_assets.ingest.run_clock import RunClock
from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.instruments.store import due_list
from lcw_assets.settings.prices import WITNESS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from lcw_assets.ingest.fetch import Fetched

TICKERS, MARKETS = "tickers", "markets"

# What the names of coins and markets were at the beginning of a run serves for it, and not for a load that waited.
_NAMES_LAST = timedelta(minutes=5)


class PricesHooks(Hooks):
    """Of several rounds in a run, each but the first knows what the one before has stored."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.sources = PriceSources()
        self.rules = Rules(
            witnesses=frozenset([WITNESS]),
            method="volume" if self.settings.prices_method == "volume" else "median",
            consensus=ConsensusLimits(quorum=self.settings.prices_quorum),
        )
        self._known: Names | None = None
        self.healths: Mapping[str, Health] = {}
        self.lifetime_s = DEFAULT_LIMITS.shortest_s

    @property
    def known(self) -> Names:
        """Before there are tables, the built-in names serve."""
        if self._known is None:
            self._known = Names.built_in(self.settings, self.now)
        return self._known

    def rounds(self, clock: RunClock) -> Sequence[datetime]:
        if clock.scheduled_at is None or clock.late_tick:
            return ()  # who starts a run wants one price now, and a late one must not run into the next tick
        begin = [clock.started_at + timedelta(seconds=second) for second in self.settings.prices_rounds_s]
        return [moment for moment in begin if moment > clock.now]

    def prepare(self, db: DuckDBPyConnection) -> None:
        self._known, self.healths = read_names(db, self.settings, self.now), read_known_healths(db)
        self.lifetime_s = read_lifetime_s(db, self.known.symbols, self.now)

    def plan(self, clock: RunClock) -> Sequence[PlannedCall]:
        settings = self.settings
        healths = {name: at_moment(health, clock.now) for name, health in self.healths.items()}
        choice = choose(settings.price_sources, settings.price_backups, healths, quorum=settings.prices_quorum)
        called = list(dict.fromkeys((*choice.call, *choice.probe)))
        for name, backup in choice.replaced.items():
            self.log.info(f"{name} is out: {backup} takes its place")
        if choice.absent:
            self.log.info(f"not called, because they are out: {', '.join(choice.absent)}")
        for complaint in filter(None, (self.known.complaint, *self.known.instruments.complaints)):
            self.log.warning(escape.line(complaint))
        called += [name for name in settings.price_witnesses if name not in healths or healths[name].state != "out"]
        return [*self._tickers(called), *self._list(called, clock.now)]

    def received(self, call: PlannedCall, document: Any) -> int:  # noqa: ARG002
        return len(document.records)

    def failed(self, fetched: Fetched) -> bool:
        return bool(fetched.calls) and not fetched.succeeded

    def store(self, db: DuckDBPyConnection, spooled: Spooled) -> Outcome:
        at = moment_of(spooled)
        sent = self.sources.read(db, spooled, self.known)
        if sent.lists or not self.known.stored or abs(at - self.known.at) > _NAMES_LAST:
            self._known = read_names(db, self.settings, at)
        data = store_round(
            db,
            spooled,
            self.sources,
            sent.responses,
            names=self.known,
            rules=self.rules,
            settings=self.settings,
            now=self.now,
        )
        self.healths = data.healths
        quotes, agreed = data.round.quotes, data.round.consensus
        usable = sum(quote.refusal is None for quote in quotes)
        priced = sum(one.price is not None for one in agreed)
        return Outcome(
            seen=len(quotes),
            changed=usable,
            came=bool(sent.responses),
            quarantine=sent.quarantine,
            observed_at=at,
            detail={"symbols": len(agreed), "priced": priced, "refused": len(quotes) - usable},
            data=data,
        )

    def findings(self, stored: StoredLoad) -> Iterable[Finding]:
        data: RoundData = stored.outcome.data
        return findings(
            data.round,
            data.healths,
            data.compared,
            data.names,
            depeg=self.settings.prices_depeg,
            lcw_deviation=self.settings.prices_lcw_deviation,
        )

    def summary(self, table: str, stored: StoredLoad) -> Mapping[str, Any]:
        data: RoundData = stored.outcome.data
        if table == "prices.consensus":
            skipped = {"not_compared": data.compared.not_compared} if data.compared.not_compared else {}
            picture = deviation_picture(data.deviations, data.round.at, list(data.healths))
            return {
                "prices": Markdown(shown.table(data.round)),
                "deviations": Markdown(as_markdown(picture)),
                **skipped,
            }
        if table == "prices.source_health":
            return {name: _state(health) for name, health in data.healths.items()}
        return {}

    def describe(self, stored: StoredLoad) -> str:
        return shown.headline(stored.outcome.data.round)

    def _tickers(self, called: Sequence[str]) -> Iterator[PlannedCall]:
        """A call a source that trades one of the coins."""
        for name in called:
            markets = self.known.requested(name)
            if markets:
                client = self.sources.clients[name]
                label = f"{self.sources.by_name[name].title} tickers"
                request = client.request_for(markets)
                options = {"lifetime_s": {client.endpoint: self.lifetime_s}, "wanted": self.known.markets(name)}
                yield PlannedCall(TICKERS, client.endpoint, request, label, source=name, client=options)

    def _list(self, called: Sequence[str], now: datetime) -> Iterator[PlannedCall]:
        """One list of markets a round at most: each is wanted once a day."""
        if due := due_list(self.known.lists, called, now):
            client = self.sources.clients[due]
            label = f"{self.sources.by_name[due].title} markets"
            yield PlannedCall(
                MARKETS, client.list_endpoint, dict(client.list_request), label, essential=False, source=due
            )


def _state(health: Health) -> str:
    return f"{health.state}: {why_out(health)}" if health.reasons else health.state
