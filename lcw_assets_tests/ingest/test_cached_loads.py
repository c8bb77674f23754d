"""Loads with a cache: what each fetches, what its hooks see, and what of it the tables keep."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lcw_assets.ingest.clock import StoreClock
from lcw_assets.ingest.connect import connect
from lcw_assets.ingest.hooks import Outcome
from lcw_assets.ingest.load import FetchEnd, Load
from lcw_assets.ingest.spool import Spool
from lcw_assets.ingest.spool_file import Spooled, as_line
from lcw_assets.ingest.store import store_once
from lcw_assets.settings import load_settings
from lcw_assets.simulator.faults import Fault
from lcw_assets.sources.bitstamp.spec import SOURCE as BITSTAMP
from lcw_assets.transport.cache import ResponseCache
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError
from lcw_assets.warehouse.schema import MIGRATIONS, migrate
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.patience import PATIENCE_S


class Loads:
    """Each fetches Bitstamp's tickers, and is stored."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool(folder / "spool")
        self.cache = ResponseCache(folder / "cache")
        self.db = duckdb.connect()
        migrate(self.db)
        self.seen: list[str] = []

    def load(self, name: str, lifetime_s: float | None = None) -> Any:
        begun = Load.begun(name, "quote_prices", NOON, run_id="run", source="bitstamp")
        with self.spool.open(begun) as writer:
            try:
                with connect(
                    BITSTAMP, load_settings(), sink=writer, deadline=Deadline.after(PATIENCE_S), cache=self.cache
                ) as api:
                    api.lifetime_s = {api.endpoint: lifetime_s} if lifetime_s else {}
                    return api.tickers().records
            finally:
                writer.end(FetchEnd(NOON, 1.0, []))

    def store(self) -> None:
        def hook(_: Any, spooled: Spooled) -> Outcome:
            self.seen += [row["payload"] for row in spooled.responses]
            return Outcome(seen=1)

        for path in self.spool.pending():
            spooled = self.spool.read(path)
            assert spooled
            store_once(self.db, spooled, StoreClock(now=lambda: NOON + timedelta(seconds=2)), hook)
            path.unlink()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.db.execute(query).fetchall()


def test_a_body_is_stored_once_and_hooks_see_it_each_time(
    start_simulator: StartSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator, server = start_simulator(bitstamp_markets=5)
    monkeypatch.setenv("BITSTAMP_BASE_URL", simulator.address_of("bitstamp", server))
    loads = Loads(tmp_path)
    fresh, unchanged, cached = loads.load("1"), loads.load("2"), loads.load("3", lifetime_s=3600)
    assert fresh == unchanged == cached
    loads.store()
    assert len(loads.seen) == 3 and len(set(loads.seen)) == 1 and json.loads(loads.seen[0])
    assert loads.rows("SELECT cycle_id, http_status, length(payload) > 0 FROM raw.pulls ORDER BY 1") == [
        ("1", 200, True),
        ("2", 304, False),
    ]
    assert loads.rows("SELECT cycle_id, http_status, outcome, bytes > 500 FROM ops.calls ORDER BY 1") == [
        ("1", 200, "ok", True),
        ("2", 304, "ok", False),
    ]
    assert loads.rows("SELECT load_id, status, calls FROM ops.loads ORDER BY 1") == [
        ("1", "complete", 1),
        ("2", "complete", 1),
        ("3", "complete", 0),
    ]
    assert [entry.status for entry in simulator.ledger.entries] == [200, 304]


def test_what_a_server_says_of_its_limits_is_stored_with_the_call(
    start_simulator: StartSimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = iter([Fault("error", status=429, retry_after="1800")])
    simulator, server = start_simulator(profile=lambda _: next(faults, Fault()))
    monkeypatch.setenv("BITSTAMP_BASE_URL", simulator.address_of("bitstamp", server))
    loads = Loads(tmp_path)
    with pytest.raises(CallError):
        loads.load("1")
    loads.store()
    said = "SELECT outcome, retry_after_s, limits ->> 'retry-after' FROM ops.calls"
    assert loads.rows(said) == [("rate_limited", 1800.0, "1800")]


@pytest.mark.parametrize("calls", [1, 3])
def test_a_file_of_the_version_before_is_stored_and_nothing_is_made_up(tmp_path: Path, calls: int) -> None:
    """Its attempts have no limits, and its responses no origin."""
    loads = Loads(tmp_path)
    call = {"source": "bitstamp", "endpoint": "api/v2/ticker/", "request": {}}
    attempt = call | {
        "kind": "attempt", "started_at": NOON.isoformat(), "attempt": 1, "hedge": False, "waited_s": 0.0,
        "latency_s": 0.1, "http_status": 200, "bytes": 2, "outcome": "ok", "error": None,
    }  # fmt: skip
    sent = {"requested_at": NOON.isoformat(), "received_at": NOON.isoformat(), "http_status": 200}
    load = Load.begun("1", "quote_prices", NOON, run_id="run", source="bitstamp")
    lines = [
        as_line({"kind": "load", "load": load.to_row()}),
        *[as_line(attempt)] * calls,
        as_line(call | sent | {"kind": "response"}, b"[]"),
        as_line({"kind": "end", **FetchEnd(NOON, 1.0, []).to_row()}),
    ]
    loads.spool.folder.mkdir()
    (loads.spool.folder / "1.jsonl").write_bytes(b"".join(lines))
    loads.store()
    assert loads.rows("SELECT http_status, payload FROM raw.pulls") == [(200, "[]")]
    assert loads.rows("SELECT DISTINCT retry_after_s, limits IS NULL FROM ops.calls") == [(None, True)]


def test_a_database_of_the_version_before_keeps_its_calls_and_their_view() -> None:
    columns = "cycle_id, source, endpoint, request, started_at, waited_s, latency_s, attempt, hedge, bytes, outcome"
    with duckdb.connect() as db:
        migrate(db, [file for file in MIGRATIONS if file.name < "013"])
        db.execute(
            f"INSERT INTO ops.calls ({columns}) VALUES ('1', 'lcw', 'x', '{{}}', now(), 0, 0, 1, false, 0, 'ok')"
        )
        migrate(db)
        found = db.execute("SELECT cycle_id, retry_after_s, limits FROM ops.cycle_calls").fetchall()
        assert found == [("1", None, None)]
        said = "SELECT comment FROM duckdb_columns() WHERE table_name = 'calls' AND column_name = 'outcome'"
        assert "banned, blocked, maintenance" in db.execute(said).fetchall()[0][0]
