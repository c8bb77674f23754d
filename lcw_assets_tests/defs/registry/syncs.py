"""One sync without Dagster, and answers to sync from: for tests of what it keeps, tells and stores."""

from __future__ import annotations

import itertools
import json
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

from lcw_assets.alerts.incidents import Alert
from lcw_assets.alerts.outbox import Outbox
from lcw_assets.defs.registry.fetch import Fetched, fetch
from lcw_assets.defs.registry.store import Rules, Stored, StoredSync, store_pending
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.sources.kucoin_futures.client import ENDPOINT, KuCoinFutures
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.facts import Response
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.warehouse.connection import open_database
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


@dataclass
class Registry:
    """A data folder, and syncs into it, a minute after the other."""

    folder: Path
    rules: Rules = field(default_factory=Rules)
    now: datetime = NOON
    said: list[str] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)

    @property
    def spool(self) -> Spool:
        return Spool(self.folder / "spool" / "kucoin-simulator")

    @property
    def database(self) -> Path:
        return self.folder / "demo.duckdb"

    def answer(self, text: str, *, at: datetime | None = None) -> None:
        """Spool a sync that was answered so, a minute after the one before unless `at` says when."""
        self.now += timedelta(minutes=1)
        moment = at or self.now
        answer = Response("kucoin-simulator", ENDPOINT, {}, moment, moment, 0.1, 200, len(text), {}, text)
        with self.spool.open(self.sync(moment)) as sink:
            sink.answer(answer)
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
                fetched = fetch(api)
            sink.end(fetched.end())
        return fetched

    def store(self) -> Stored:
        connect = partial(open_database, self.database, lock_wait_s=0.2)
        tell = self.alerts.extend
        return store_pending(connect, self.spool, self.said.append, rules=self.rules, tell=tell, now=self.now)

    def store_and_tell(self) -> Stored:
        """As a run does, and the sensors after it: through the outbox, which has no channel, into `ops.alerts`."""
        outbox = Outbox(self.folder / "alerts", str)
        connect = partial(open_database, self.database, lock_wait_s=0.2)
        tell = partial(outbox.put, log=self.said.append)
        stored = store_pending(connect, self.spool, self.said.append, rules=self.rules, tell=tell, now=self.now)
        outbox.flush([], connect, NOON, self.said.append)
        return stored

    def take(self, text: str, *, at: datetime | None = None) -> StoredSync:
        """One answer, into the tables."""
        self.answer(text, at=at)
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
