"""Live Coin Watch's endpoints and errors, against a simulator that speaks them over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.sources.client import NotTheSourceError
from lcw_assets.sources.gateway import BlockedError
from lcw_assets.sources.lcw.client import (
    LiveCoinWatch,
    OutOfCreditsError,
    UnknownCodeError,
    WrongKeyError,
)
from lcw_assets.transport.client import Client
from lcw_assets.transport.deadline import Deadline
from lcw_assets.transport.errors import PermanentError, TransientError
from lcw_assets.transport.retry import RetryPolicy
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.patience import PATIENCE_S
from lcw_assets_tests.servers import raw_server, reply
from lcw_assets_tests.transport.test_client import Kept


@pytest.fixture
def lcw(start_simulator: StartSimulator) -> LiveCoinWatch:
    _, address = start_simulator()
    return connect(address)


def connect(address: str, *, key: str | None = None, sink: Kept | None = None, **options: Any) -> LiveCoinWatch:
    client = Client(
        address,
        source="test",
        sink=sink or Kept(),
        headers={"x-api-key": key} if key else {},
        retry=RetryPolicy(attempts=2, first_s=0.01),
    )
    return LiveCoinWatch(client, deadline=Deadline.after(PATIENCE_S), **{"simulated": True, **options})


def test_status_credits_and_overview(lcw: LiveCoinWatch) -> None:
    lcw.status()
    left = lcw.credits()
    assert (left.remaining, left.limit) == (9_999, 10_000)
    overview = lcw.overview()
    assert overview.cap and overview.volume and overview.liquidity
    assert 0.3 < (overview.btc_dominance or 0) < 0.9


def test_a_page_of_coins_by_rank(lcw: LiveCoinWatch) -> None:
    coins = lcw.coins_list(offset=100, limit=100)
    assert [coin.rank for coin in coins] == list(range(101, 201))
    assert coins[0].name
    assert all(coin.liquidity is None for coin in coins)
    short = lcw.coins_list(limit=5, meta=False, sort="code")
    assert [coin.code for coin in short] == sorted(coin.code for coin in short)
    assert all(coin.name is None and coin.rank is None for coin in short)


def test_the_list_ends_somewhere(lcw: LiveCoinWatch) -> None:
    assert len(lcw.coins_list(offset=31_950)) == 50
    assert lcw.coins_list(offset=40_000) == []


def test_one_coin_is_given_the_code_that_was_requested(lcw: LiveCoinWatch) -> None:
    coin = lcw.coins_single("______HYPE")
    assert (coin.code, coin.name) == ("______HYPE", "Hyperliquid")
    assert coin.liquidity and coin.rate


def test_a_map_leaves_out_unknown_codes_and_sorts_by_itself(lcw: LiveCoinWatch) -> None:
    assert [coin.code for coin in lcw.coins_map(["ETH", "no such coin", "BTC"])] == ["BTC", "ETH"]


def test_a_contract_resolves_to_its_coin(lcw: LiveCoinWatch) -> None:
    assert lcw.coins_contract("ETH", "0x" + b"LINK".hex()).code == "LINK"


def test_history_steps_follow_from_the_range(lcw: LiveCoinWatch) -> None:
    hours = lcw.coins_single_history("BTC", NOON - timedelta(days=2), NOON)
    assert {b.date - a.date for a, b in pairwise(hours)} >= {timedelta(hours=1)}
    five_minutes = lcw.coins_single_history("BTC", NOON - timedelta(minutes=19), NOON)
    assert [point.date.minute for point in five_minutes] == [45, 50, 55, 0]
    assert five_minutes[-1].date == NOON  # the end is inclusive
    assert len(lcw.overview_history(NOON - timedelta(days=100), NOON)) == 100


def test_a_coin_that_did_not_exist_then_has_no_history(lcw: LiveCoinWatch) -> None:
    long_ago = NOON.replace(year=2001)
    assert lcw.coins_single_history("ETH", long_ago, long_ago + timedelta(days=9)) == []


def test_fiats_platforms_and_exchanges(lcw: LiveCoinWatch) -> None:
    fiats = {fiat.code: fiat for fiat in lcw.fiats_all()}
    assert fiats["EUR"].symbol == "€"
    assert fiats["CHF"].symbol is None
    assert "ETH" in {platform.code for platform in lcw.platforms_all()}
    exchanges = lcw.exchanges_list(limit=50)
    assert exchanges == sorted(exchanges, key=lambda exchange: -(exchange.volume or 0))
    decentralised = next(exchange for exchange in exchanges if not exchange.centralized)
    assert (decentralised.bid_total, decentralised.ask_total, decentralised.depth) == (None, None, 0)
    assert lcw.exchanges_single("kucoin").name == "Kucoin"


def test_money_is_in_the_currency_that_was_requested(start_simulator: StartSimulator) -> None:
    _, address = start_simulator()
    [usd], [eur] = (connect(address, currency=currency).coins_list(limit=1) for currency in ("USD", "EUR"))
    assert eur.rate == pytest.approx((usd.rate or 0) * 0.92)
    assert eur.all_time_high_usd == usd.all_time_high_usd  # always USD
    assert connect(address, currency="BTC").coins_single("BTC").rate == pytest.approx(1.0)


def test_an_unknown_code_is_permanent(lcw: LiveCoinWatch) -> None:
    """And an outcome of its own: whoever reads the facts of a call need not search the words of its error."""
    with pytest.raises(UnknownCodeError, match="Unknown coin code") as raised:
        lcw.coins_single("no such coin")
    assert raised.value.outcome == "unknown_code"
    with pytest.raises(UnknownCodeError):
        lcw.exchanges_single("no such exchange")


def test_a_page_is_bounded_before_it_is_requested(lcw: LiveCoinWatch) -> None:
    with pytest.raises(ValueError, match="limit=250: Live Coin Watch gives 1 to 100"):
        lcw.coins_list(limit=250)
    with pytest.raises(ValueError, match="offset=-1"):
        lcw.coins_list(offset=-1)


def test_a_wrong_key_is_refused_without_a_retry(start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator(api_key="right")
    connect(address).status()  # needs none
    with pytest.raises(WrongKeyError, match=r"refused the key \(401\): check LCW_API_KEY"):
        connect(address, key="wrong").credits()
    assert len(simulator.ledger.entries) == 2
    assert connect(address, key="right").credits().remaining == 9_999


def test_spent_credits_are_distinguished(start_simulator: StartSimulator) -> None:
    _, address = start_simulator(credits_per_day=2)
    lcw = connect(address)
    lcw.overview()
    assert lcw.credits().remaining == 0
    with pytest.raises(OutOfCreditsError, match="renewed at 00:00 UTC"):
        lcw.overview()
    lcw.status()  # free


def test_a_simulator_is_refused_where_the_real_one_is_meant(start_simulator: StartSimulator) -> None:
    _, address = start_simulator()
    with pytest.raises(NotTheSourceError, match="is a simulator"):
        connect(address, simulated=False).status()
    _, unmarked = start_simulator(marked=False)
    connect(unmarked, simulated=False).status()


@contextmanager
def always(start_simulator: StartSimulator, fault: Fault) -> Iterator[LiveCoinWatch]:
    def profile(_: Draw) -> Fault:
        return fault

    yield connect(start_simulator(profile=profile)[1])


@pytest.mark.parametrize(
    "fault",
    [
        Fault("error", status=500),
        Fault("error", status=503, retry_after="0"),
        Fault("error", status=429),
        Fault("html", status=522),
        Fault("html", status=200),
        Fault("truncated"),
        Fault("cut"),
        Fault("reset"),
        Fault("wrong_shape"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_these_pass(start_simulator: StartSimulator, fault: Fault) -> None:
    with always(start_simulator, fault) as lcw, pytest.raises(TransientError):
        lcw.coins_list()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        ("200 OK", b'{"error":{"code":401,"status":"Unauthorized","description":"x"}}', WrongKeyError),
        ("200 OK", b'{"error":{"code":500,"status":"Internal","description":"x"}}', TransientError),
        ("200 OK", b'{"error":{"code":"odd","status":"x","description":"x"}}', PermanentError),
        ("429 Too Many", b'{"error":{"code":429,"status":"x","description":"No credits left"}}', OutOfCreditsError),
        ("429 Too Many", b"", TransientError),
        ("200 OK", b'{"error":{"code":403,"status":"Forbidden","description":"x"}}', WrongKeyError),
        ("403 Forbidden", b"", BlockedError),
        ("401 Unauthorized", b"<html>nginx", BlockedError),
        ("403 Forbidden", b'{"message":"Forbidden"}', BlockedError),
        ("403 Forbidden", b'{"error":{"code":403,"status":"PERMISSION_DENIED"}}', BlockedError),
        ("451 Unavailable", b"", BlockedError),
        ("200 OK", b'{"error":{"code":500}}', TransientError),
        ("410 Gone", b"", PermanentError),
        ("524 Timeout", b"<html>", TransientError),
        ("404 Not Found", b"<html>nginx", NotTheSourceError),
        ("501 Unsupported method ('POST')", b"<html>python", NotTheSourceError),
        ("302 Found", b"", NotTheSourceError),
        ("200 OK", b"", TransientError),
        ("200 OK", b"\xff\xfe\x00", TransientError),
        ("200 OK", b"[]", TransientError),  # no coins at all
        ("200 OK", b'{"hello":"world"}', TransientError),
        ("200 OK", b'[{"code":"BTC","rate":"12"}]', PermanentError),
    ],
)
def test_errors_are_sorted(status: str, body: bytes, error: type[Exception]) -> None:
    with raw_server(reply(status, body)) as address, pytest.raises(error) as raised:
        connect(address).coins_list()
    assert raised.type is error or error is not PermanentError


def test_a_page_that_is_no_list_is_quoted_and_kept() -> None:
    sink = Kept()
    with raw_server(reply("200 OK", b'{"hello": "world"}')) as address, pytest.raises(TransientError) as raised:
        connect(address, sink=sink).coins_list()
    assert str(raised.value) == f"""coins/list: {address} sent '{{"hello": "world"}}' where a list was due"""
    assert [kept.text for kept, _ in sink.refusals] == ['{"hello": "world"}'] * 2


def test_retry_after_is_obeyed(start_simulator: StartSimulator) -> None:
    sink = Kept()
    turns = iter([Fault("error", status=429, retry_after="1"), Fault()])
    _, address = start_simulator(profile=lambda _: next(turns))
    connect(address, sink=sink).status()
    assert sink.attempts[1].waited_s >= 1.0


def test_what_a_server_says_is_quoted_as_far_as_one_can_read_it() -> None:
    """It stands in a row of every attempt: 30 KB of a stack trace are no reason."""
    said = b'{"error":{"code":400,"status":"Bad request","description":"' + b"x" * 30_000 + b'"}}'
    sink = Kept()
    with raw_server(reply("400 Bad", said)) as address, pytest.raises(PermanentError) as raised:
        connect(address, sink=sink).overview()
    assert len(raised.value.reason) == 501
    assert raised.value.reason.startswith("400 Bad request: xxx")
    assert [len(attempt.error or "") for attempt in sink.attempts] == [501]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        ("408 Request Timeout", b"", TransientError),
        ("425 Too Early", b"", TransientError),
        ("500 Internal Server Error", b"", TransientError),
        ("502 Bad Gateway", b"", TransientError),
        ("520 Web Server Returned an Unknown Error", b"", TransientError),
        ("505 HTTP Version Not Supported", b"", PermanentError),
        ("413 Content Too Large", b"", PermanentError),
        ("402 Payment Required", b"", OutOfCreditsError),
        ("403 Forbidden", b'{"error":{"code":403,"status":"x","description":"Out of credits"}}', OutOfCreditsError),
    ],
)
def test_what_passes_and_what_stays(status: str, body: bytes, error: type[Exception]) -> None:
    with raw_server(reply(status, body)) as address, pytest.raises(error) as raised:
        connect(address).coins_list()
    assert raised.type is error
