"""Every lie that the simulator knows, told by any two of seven exchanges, through the parsers of the real ones: the
price is the hidden market's, or there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from itertools import combinations
from urllib.parse import urlencode

import pytest

from lcw_assets.defs.prices.conversion import Rate
from lcw_assets.defs.prices.pricing import Response, Round, price_round
from lcw_assets.instruments.instruments import Instruments
from lcw_assets.instruments.known import MARKETS, NAMES
from lcw_assets.simulator.books import DEPEG, LIES
from lcw_assets.simulator.discovery import discover as providers
from lcw_assets.simulator.market import Market
from lcw_assets.simulator.provider import Request, Service
from lcw_assets.sources.tickers import NoTickersError, Ticker
from lcw_assets_tests.conftest import NOON
from lcw_assets_tests.defs.prices.venues import COINS, SEVEN
from lcw_assets_tests.sources.prices import SOURCES

# Not at the full hour, at which what is stuck is right.
AT = NOON + timedelta(minutes=31, seconds=7)
MARKET = Market(1)
TRUE = {coin: MARKET.usd_per(coin, AT.timestamp() / 60) for coin in (*COINS, "USDT")}
INSTRUMENTS = Instruments(NAMES, MARKETS, AT)
BEFORE = Rate("USDT", TRUE["USDT"], AT - timedelta(minutes=1), ("bitstamp", "coinbase", "kraken"), TRUE["USDT"])


@cache
def services() -> Mapping[str, Service]:
    return {one.name: one.service(MARKET, **{f"{one.name}_markets": 12}) for one in providers() if one.name in SEVEN}


@cache
def tickers(source: str, fault: str) -> tuple[Ticker, ...] | None:
    """What the client makes of the response; null of one that it refuses."""
    client = SOURCES[source].client_class()
    parameters = urlencode(client.request_for([]))
    request = Request("GET", client.endpoint.strip("/"), parameters, b"", {"user-agent": "of a test"}, AT)
    try:
        return tuple(client.read_tickers(services()[source].respond(request, fault).body.decode()).records)
    except NoTickersError:
        return None


def round_with(faults: Mapping[str, str], last_rates: Mapping[str, Rate]) -> Round:
    sent = {source: tickers(source, faults.get(source, "none")) for source in SEVEN}
    responses = [Response(source, AT, found) for source, found in sent.items() if found is not None]
    return price_round(responses, INSTRUMENTS, COINS, SEVEN, AT, last_rates=last_rates)


def furthest(found: Round) -> float:
    """Of the coins that have a price: how far from the true one, as a share."""
    return max((abs(one.price / TRUE[one.coin] - 1) for one in found.consensus if one.price), default=0.0)


@pytest.mark.parametrize("last_rates", [{"USDT": BEFORE}, {}], ids=["a minute later", "the first round"])
@pytest.mark.parametrize("fault", ["none", *sorted({*LIES, "delisted", "clock", "future"})])
def test_two_liars_of_seven_move_no_price(fault: str, last_rates: Mapping[str, Rate]) -> None:
    for pair in combinations(SEVEN, 2):
        found = round_with(dict.fromkeys(pair, fault), last_rates)
        assert furthest(found) < 1e-3, pair
        # BNB has four sources, and USDT four that measure it; the others have five honest ones.
        if last_rates:
            assert all(one.price for one in found.consensus if one.coin != "BNB"), pair


@pytest.mark.parametrize("last_rates", [{"USDT": BEFORE}, {}], ids=["a minute later", "the first round"])
def test_when_usdt_really_falls_prices_in_usd_stay(last_rates: Mapping[str, Rate]) -> None:
    found = round_with(dict.fromkeys(SEVEN, "depeg"), last_rates)
    rate = found.rates["USDT"]
    assert isinstance(rate, Rate) and rate.usd == pytest.approx(DEPEG * TRUE["USDT"], rel=3e-4)
    assert all(one.price for one in found.consensus) and furthest(found) < 1e-3
