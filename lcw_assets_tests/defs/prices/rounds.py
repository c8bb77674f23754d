"""Rounds of prices at moments of our choosing: real calls to a simulator, whose clock and ours are passed in."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from lcw_assets.defs.prices.definitions import quote_prices
from lcw_assets.defs.prices.load import PricesHooks
from lcw_assets.defs.prices.storing import RoundData
from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.hooks import StoredLoad
from lcw_assets.ingest.load import FetchEnd, Load, load_id
from lcw_assets.ingest.run_clock import RunClock
from lcw_assets.ingest.runner import Runner
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled
from lcw_assets.ingest.spool_writer import SpoolWriter
from lcw_assets.settings.prices import GROUP
from lcw_assets.simulator.faults import Profile
from lcw_assets.simulator.market import Market
from lcw_assets.simulator.server import Simulator
from lcw_assets.sources.spec import group
from lcw_assets.transport.facts import Attempt, Response
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.loads import Lines, folder_settings

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
SEVEN = ("binance", "bitstamp", "bybit", "coinbase", "kraken", "kucoin_spot", "okx")


# Each exchange trades so few coins that its simulated responses take no time.
FEW: Mapping[str, Any] = {f"{name}_markets": 12 for name in SEVEN}


class _Shifted:
    """A spool writer that writes the times of another clock."""

    def __init__(self, writer: SpoolWriter, load: Load, offset: timedelta) -> None:
        self._writer, self._load, self._offset = writer, load, offset

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def attempt(self, attempt: Attempt) -> None:
        self._writer.attempt(replace(attempt, started_at=attempt.started_at + self._offset))

    def response(self, response: Response) -> None:
        self._writer.response(self._moved(response))

    def refused(self, response: Response, reason: str) -> None:
        self._writer.refused(self._moved(response), reason)

    def end(self, end: FetchEnd) -> None:
        self._writer.end(self._ended(end))

    def spooled(self, load: Load, end: FetchEnd) -> Spooled:
        return self._writer.spooled(load, self._ended(end))

    def _moved(self, response: Response) -> Response:
        times = {name: getattr(response, name) + self._offset for name in ("requested_at", "received_at")}
        return dataclasses.replace(response, **times)

    def _ended(self, end: FetchEnd) -> FetchEnd:
        ended_at = end.ended_at + self._offset
        return replace(end, ended_at=ended_at, fetch_s=(ended_at - self._load.started_at).total_seconds())


class _ShiftedSpool(Spool):
    def __init__(self, folder: Path, offset: timedelta) -> None:
        super().__init__(folder)
        self._offset = offset

    @contextmanager
    def open(self, load: Load) -> Iterator[Any]:
        with super().open(load) as writer:
            yield _Shifted(writer, load, self._offset)


@dataclass(frozen=True)
class _ShiftedRunner(Runner):
    offset: timedelta = timedelta(0)

    @property
    def spool(self) -> Spool:
        return _ShiftedSpool(super().spool.folder, self.offset)


@dataclass
class Prices:
    """A data folder, and rounds into it, each at a moment of our choosing. `profile` may be changed between them."""

    folder: Path
    address: str
    simulator: Simulator
    settings: dict[str, str] = field(default_factory=dict)
    now: datetime = NOON
    said: Lines = field(default_factory=Lines)

    def __post_init__(self) -> None:
        self.simulator.clock = lambda: self.now + (datetime.now(timezone.utc) - self._real)
        self._real = datetime.now(timezone.utc)
        sources = group(GROUP).sources.values()
        for source in sources:
            address = self.simulator.address_of(source.simulator, self.address)
            self.settings.setdefault(f"{source.variables}_BASE_URL", address)

    def hooks(self) -> PricesHooks:
        settings = folder_settings(self.folder, **self.settings)
        return PricesHooks(settings, self.said, self.now)

    def runner(self, hooks: PricesHooks) -> Runner:
        def connect(**options: Any) -> Any:
            return open_database(hooks.settings.database, **options)

        return _ShiftedRunner(quote_prices, hooks, hooks.settings, connect, self.said, self.now - self._real)

    def fetch(self, *, after_s: float = 60.0, deadline_s: float | None = None) -> tuple[Runner, Spooled]:
        """The first half of a round, so many seconds after the one before."""
        self.now += timedelta(seconds=after_s)
        self._real = datetime.now(timezone.utc)
        for folder in ("limits", "cache"):  # which count in real time
            shutil.rmtree(self.folder / folder, ignore_errors=True)
        hooks = self.hooks()
        runner = self.runner(hooks)
        runner.prepare()
        clock = RunClock(self.now, self.now, False, 0.0, 0.0, self.now)
        source = hooks.settings.of(quote_prices.source).name
        load = Load.begun(load_id(self.now, "a-test-run"), "quote_prices", self.now, run_id="a-test-run", source=source)
        _, own = runner.fetch(load, clock, deadline_s or hooks.settings.prices_deadline_s, list(quote_prices.raw))
        return runner, own

    def round(self, *, after_s: float = 60.0, deadline_s: float | None = None) -> StoredLoad:
        runner, own = self.fetch(after_s=after_s, deadline_s=deadline_s)
        return self.store(runner, own)[-1]

    def store(self, runner: Runner, own: Spooled | None = None) -> list[StoredLoad]:
        return runner.store(
            own=own, clock=StoreClock(now=lambda: self.now + (datetime.now(timezone.utc) - self._real))
        ).loads

    def data(self, **given: Any) -> RoundData:
        """A round, for what came of it."""
        found: RoundData = self.round(**given).outcome.data
        return found

    def true_price(self, code: str, at: datetime) -> float:
        """The price in USD that every venue's prices are made from."""
        market = Market(1)
        minute = at.timestamp() / 60
        coin = market.find(code, int(minute))
        assert coin is not None
        return market.price(coin, minute)

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with open_database(folder_settings(self.folder).database, read_only=True) as db:
            return db.execute(sql, list(parameters)).fetchall()


@contextmanager
def prices(folder: Path, profile: Profile | str = "none", **settings: str) -> Iterator[Prices]:
    simulator = Simulator(profile=profile, **FEW)
    with simulator.serve() as address:
        yield Prices(folder, address, simulator, settings)


def lying(**kinds: str) -> Profile:
    """These venues have these faults."""
    from lcw_assets.simulator.faults import Fault

    return lambda draw: Fault(kinds.get(draw.provider, "none"))


StartPrices = Callable[..., Prices]
