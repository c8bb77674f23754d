"""KuCoin's responses and errors, against servers that speak like it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from lcw_assets.coordination.rate_limit import RateLimit
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.sources.client import NotTheSourceError
from lcw_assets.sources.kucoin_futures.client import KuCoinFutures
from lcw_assets.sources.kucoin_futures.records import Contract, Contracts, NoContractsError, read_contracts
from lcw_assets.sources.kucoin_futures.spec import SOURCE
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import CallError, PermanentError, RefusedError, TransientError
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets.warehouse.schema import tables
from lcw_assets_tests.conftest import StartSimulator
from lcw_assets_tests.defs.registry.syncs import body, contract
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.servers import raw_server, reply
from lcw_assets_tests.transport.test_client import Kept

JSON = "Content-Type: application/json"


def ask(
    address: str, sink: Kept | None = None, *, seconds: float = PATIENCE_S, attempts: int = 1, **options: Any
) -> Contracts:
    client = Client(
        address,
        source="kucoin",
        sink=sink or Kept(),
        rate_limit=options.pop("rate_limit", None),
        retry=RetryPolicy(attempts=attempts, first_s=0.01),
    )
    api = KuCoinFutures(client, deadline=Deadline.after(seconds), **{"simulated": True, **options})
    return api.contracts()


def refused(status: str, text: str, *headers: str) -> tuple[CallError, Kept]:
    sink = Kept()
    with raw_server(reply(status, text.encode(), JSON, *headers)) as address, pytest.raises(CallError) as raised:
        ask(address, sink)
    return raised.value, sink


def test_every_contract_typed(start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator()
    sink = Kept()
    found = ask(address, sink)
    assert 450 < len(found.records) <= 500
    assert not found.refusals
    bitcoin = found.records[0]
    assert (bitcoin.symbol, bitcoin.exchange_status, bitcoin.tick_size) == ("XBTUSDTM", "Open", 1)
    assert isinstance(bitcoin.open_interest, float)
    assert isinstance(bitcoin.next_funding_rate_time, float)
    assert [record.symbol for record in found.records if record.multiplier == -1] == ["XBTUSDM"]
    assert [attempt.outcome for attempt in sink.attempts] == ["ok"]
    assert len(sink.responses) == len(simulator.ledger.entries) == 1


@pytest.mark.parametrize(
    ("file", "contracts"),
    [
        ("kucoin_futures_contracts_active_2contracts_2022-06.json", 2),
        ("kucoin_futures_contracts_active_doc_example.json", 1),
    ],
)
def test_recorded_responses_are_read_whole(recorded_kucoin: Path, file: str, contracts: int) -> None:
    text = (recorded_kucoin / file).read_text()
    found = read_contracts(text)
    assert (len(found.records), list(found.refusals)) == (contracts, [])
    for record, given in zip(found.records, json.loads(text)["data"], strict=True):
        assert record.model_extra == {}, "a field that the model does not know"
        told = record.model_dump(by_alias=True)
        for name, value in given.items():
            assert told[name] == (float(value) if name == "openInterest" else value), name


def test_every_field_has_its_column() -> None:
    columns = {column.name for column in tables()["registry.tokens"]}
    assert set(Contract.model_fields) <= columns


def test_the_envelope_with_a_number_for_a_code_is_taken() -> None:
    text = body(contract("AUSDTM")).replace('"200000"', "200000")
    assert len(read_contracts(text).records) == 1


@pytest.mark.parametrize(
    ("status", "text", "outcome", "kind", "says"),
    [
        ("200 OK", '{"code":"400100","msg":"no"}', "rejected", PermanentError, "KuCoin refuses: 400100 no"),
        ("200 OK", '{"code":"500000","msg":"Internal"}', "server_error", TransientError, "500000 Internal"),
        ("200 OK", '{"code":"429000","msg":"slow"}', "rate_limited", TransientError, "too many requests (429000)"),
        ("429 X", '{"code":"429000","msg":"slow"}', "rate_limited", TransientError, "too many requests (429000)"),
        ("429 X", "<html>", "rate_limited", TransientError, "too many requests (429)"),
        ("503 X", "<html>down</html>", "server_error", TransientError, "HTTP 503"),
        ("403 X", '{"code":"400302","msg":"your country"}', "blocked", RefusedError, "400302 your country"),
        ("418 X", "", "banned", TransientError, "too many requests (418)"),
        ("451 X", '{"code":"400000","msg":"not here"}', "blocked", PermanentError, "400000 not here"),
        ("503 X", "<title>Scheduled maintenance</title>", "maintenance", TransientError, "HTTP 503"),
        ("503 X", '{"code":"503000","msg":"in maintenance"}', "maintenance", TransientError, "503000 in maintenance"),
        ("404 X", "nothing", "rejected", NotTheSourceError, "is KUCOIN_FUTURES_BASE_URL right?"),
        ("302 X", "", "rejected", NotTheSourceError, "is KUCOIN_FUTURES_BASE_URL right?"),
        ("200 OK", "{}", "broken_body", TransientError, "it has no code"),
        ("200 OK", '{"code":"200000"}', "broken_body", TransientError, "its data is no list"),
        ("200 OK", '{"code":"200000","data":{"a":1}}', "broken_body", TransientError, "its data is no list"),
        ("200 OK", "[]", "broken_body", TransientError, "it has no code"),
        ("200 OK", '{"code":"200000","data":[{"sym":"A"}]}', "broken_body", TransientError, "none of its records"),
        ("200 OK", body(contract("AUSDTM"))[:200], "broken_body", TransientError, "it is not JSON"),
    ],
)
def test_what_is_no_response_is_named(status: str, text: str, outcome: str, kind: type[CallError], says: str) -> None:
    error, sink = refused(status, text)
    assert isinstance(error, kind)
    assert error.outcome == outcome
    assert says in str(error)
    assert sink.responses == []
    assert [attempt.outcome for attempt in sink.attempts] == [outcome]
    assert len(sink.refusals) == (outcome == "broken_body")  # kept for a look at what it was


def test_an_empty_list_is_a_response() -> None:
    """Whether it may be believed is not for the source to say."""
    assert read_contracts('{"code":"200000","data":[]}').records == []
    with pytest.raises(NoContractsError):
        read_contracts('{"code":"200000","data":null}')


# The rate limit.


def test_429000_with_headers_waits_as_long_as_they_say(tmp_path: Path) -> None:
    headers = ("gw-ratelimit-limit: 2000", "gw-ratelimit-remaining: 0", "gw-ratelimit-reset: 400")
    error, _ = refused("429 X", '{"code":"429000","msg":"slow"}', *headers)
    assert error.retry_after_s == pytest.approx(0.4)
    limit = RateLimit(tmp_path / "kucoin", SOURCE.rate)
    with raw_server(reply("429 X", b'{"code":"429000"}', JSON, *headers)) as address:
        started = time.monotonic()
        with pytest.raises(TransientError):
            ask(address, attempts=2, rate_limit=limit)
        assert time.monotonic() - started >= 0.4


def test_429000_without_headers_is_an_overload_and_backs_off(start_simulator: StartSimulator) -> None:
    def overloaded_once(draw: Draw) -> Fault:
        return Fault("error", status=429) if draw.number == 1 else Fault()

    _, address = start_simulator(profile=overloaded_once)
    sink = Kept()
    assert ask(address, sink, attempts=2).records
    assert [attempt.outcome for attempt in sink.attempts] == ["rate_limited", "ok"]
    error, _ = refused("429 X", '{"code":"429000","msg":"slow"}')
    assert error.retry_after_s is None


def test_the_last_call_that_is_allowed_has_the_next_process_wait(
    start_simulator: StartSimulator, tmp_path: Path
) -> None:
    _, address = start_simulator(kucoin_limit=3)
    file = tmp_path / "kucoin"
    assert ask(address, rate_limit=RateLimit(file, SOURCE.rate)).records
    assert 0 < RateLimit(file, SOURCE.rate).take() <= 30  # less what has passed since
    sink = Kept()
    with pytest.raises(TransientError):
        ask(address, sink, seconds=0.5, rate_limit=RateLimit(file, SOURCE.rate))
    assert [attempt.outcome for attempt in sink.attempts] == ["deadline"]  # nothing was sent


# Who responses.


def test_a_simulator_is_refused_where_the_real_one_was_meant(start_simulator: StartSimulator) -> None:
    sink = Kept()
    with pytest.raises(NotTheSourceError, match="is a simulator, and in live mode"):
        ask(start_simulator()[1], sink, simulated=False)
    assert sink.responses == []
    assert ask(start_simulator(marked=False)[1], simulated=False).records
