"""One sync without Dagster, and responses to sync from: for tests of what it keeps, tells and stores."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

from lcw_assets.alerts.incidents import Alert
from lcw_assets.alerts.outbox import Outbox
from lcw_assets.defs.registry.definitions import token_registry_sync
from lcw_assets.defs.registry.facts import Phases, SyncResult
from lcw_assets.defs.registry.load import SyncHooks
from lcw_assets.defs.registry.state import RegistryState
from lcw_assets.ingest.fetch import Fetched, fetch_all
from lcw_assets.ingest.load import FetchEnd, Load, PlannedCall
from lcw_assets.ingest.spool import Spool
from lcw_assets.sources.kucoin_futures.client import ENDPOINT, KuCoinFutures
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.facts import Response
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.loads import Lines, folder_settings, make_runner
from lcw_assets_tests.patience import PATIENCE_S

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)

_numbers = itertools.count()


def contract(symbol: str, **fields: Any) -> dict[str, Any]:
    """A contract in KuCoin's words; a field that is given as None is null, one that is `...` is missing."""
    usual = {
        "symbol": symbol, "status": "Open", "type": "FFWCSX", "firstOpenDate": 1585555200000, "baseCurrency": "XBT",
        "quoteCurrency": "USDT", "maxLeverage": 100, "takerFeeRate": 0.0006, "makerFeeRate": 0.0002,
        "fundingFeeRate": 0.0001, "fundingRateGranularity": 28800000, "openInterest": "1000", "markPrice": 10.5,
        "indexPrice": 10.4, "lastTradePrice": 10.45, "nextFundingRateTime": 3_600_000,
        "sourceExchanges": ["okex", "binance"],
    }  # fmt: skip
    return {name: value for name, value in {**usual, **fields}.items() if value is not ...}


def body(*contracts: dict[str, Any]) -> str:
    return json.dumps({"code": "200000", "data": list(contracts)})


@dataclass(frozen=True)
class StoredSync:
    """`row` is its row of `ops.loads`."""

    sync: Load
    row: Mapping[str, Any]
    found: SyncResult
    phases: Phases
    news: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Stored:
    syncs: list[StoredSync]
    state: RegistryState | None


@dataclass
class Registry:
    """A data folder, and syncs into it, a minute after the other."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    now: datetime = NOON
    said: Lines = field(default_factory=Lines)
    alerts: list[Alert] = field(default_factory=list)

    @property
    def spool(self) -> Spool:
        return Spool(self.folder / "spool" / "kucoin-simulator")

    @property
    def database(self) -> Path:
        return self.folder / "demo.duckdb"

    def receive(self, text: str, *, at: datetime | None = None) -> None:
        """Spool a sync that was answered so, a minute after the one before unless `at` says when."""
        self.now += timedelta(minutes=1)
        moment = at or self.now
        response = Response("kucoin-simulator", ENDPOINT, {}, moment, moment, 0.1, 200, len(text), {}, text)
        with self.spool.open(self.sync(moment)) as sink:
            sink.response(response)
            sink.end(FetchEnd(moment, 0.1, []))

    def ask(self, address: str, *, seconds: float = PATIENCE_S, **options: Any) -> Fetched:
        """Spool a sync of a server that is there."""
        self.now += timedelta(minutes=1)
        with self.spool.open(self.sync(self.now)) as sink:
            client = Client(
                address,
                source="kucoin-simulator",
                sink=sink,
                retry=RetryPolicy(attempts=2, first_s=0.01),
            )
            with closing(client):
                api = KuCoinFutures(client, deadline=Deadline.after(seconds), **{"simulated": True, **options})
                fetched = fetch_all(
                    api,
                    [PlannedCall("contracts", ENDPOINT, {}, ENDPOINT)],
                    deadline=Deadline.after(seconds),
                    in_flight=1,
                    log=self.said.append,
                    received=lambda _call, document: len(document.records),
                )
            sink.end(fetched.end(self.now))
        return fetched

    def hooks(self, deliver: Callable[[Sequence[Alert]], None] | None = None) -> SyncHooks:
        settings = folder_settings(self.folder, **self.settings)
        return SyncHooks(settings, self.said, self.now, deliver or self.alerts.extend)

    def store(self, deliver: Callable[[Sequence[Alert]], None] | None = None, *, lock_wait_s: float = 0.2) -> Stored:
        hooks = self.hooks(deliver)
        loads = make_runner(token_registry_sync, hooks, hooks.settings, self.said).store(lock_wait_s=lock_wait_s).loads
        syncs = [
            StoredSync(one.load, one.row, one.outcome.data.result, one.outcome.data.phases, one.outcome.data.news)
            for one in loads
        ]
        return Stored(syncs, loads[-1].outcome.data.state if loads else None)

    def store_and_deliver(self) -> Stored:
        """As a run does, and the sensors after it: through the outbox, which has no channel, into `ops.alerts`."""
        outbox = Outbox(self.folder / "alerts", str)
        connect = partial(open_database, self.database, lock_wait_s=0.2)
        stored = self.store(partial(outbox.put, log=self.said.append))
        outbox.flush([], connect, NOON, self.said.append)
        return stored

    def take(self, text: str, *, at: datetime | None = None) -> StoredSync:
        """One response, into the tables."""
        self.receive(text, at=at)
        return self.store().syncs[-1]

    def minute(self, *contracts: dict[str, Any]) -> StoredSync:
        return self.take(body(*contracts))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with open_database(self.database, read_only=True) as db:
            return db.execute(sql).fetchall()

    def events(self) -> list[tuple[Any, ...]]:
        """`(minute, symbol, event, field, old, new)`, in the order in which they came."""
        rows = self.query(
            "SELECT observed_at, symbol, event, field, old_value, new_value FROM registry.token_events "
            "ORDER BY observed_at, symbol, event, field"
        )
        return [((at - NOON) // timedelta(minutes=1), *rest) for at, *rest in rows]

    def tokens(self, columns: str = "symbol, status") -> list[tuple[Any, ...]]:
        return self.query(f"SELECT {columns} FROM registry.tokens ORDER BY symbol")

    @staticmethod
    def sync(moment: datetime) -> Load:
        name = f"{moment:%Y%m%dT%H%M%S}.{next(_numbers):04}Z-test"
        return Load.begun(name, "token_registry_sync", moment, run_id="run", source="kucoin-simulator")
