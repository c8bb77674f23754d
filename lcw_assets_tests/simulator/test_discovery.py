"""A provider is a module with a `PROVIDER`: it is served, and on the command line, and no list names it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

import lcw_assets.simulator as package
from lcw_assets.simulator.discovery import discover, route
from lcw_assets.simulator.faults import Draw, Fault
from lcw_assets.simulator.market import Market
from lcw_assets.simulator.provider import Provider
from lcw_assets.simulator.server import Simulator
from lcw_assets_tests.conftest import NOON, StartSimulator
from lcw_assets_tests.patience import PATIENCE_S

# An exchange whose one path is Live Coin Watch's as well, whose errors come under 200, and whose limit is 3 a second.
TOY = """
from lcw_assets.simulator.faults import Fault
from lcw_assets.simulator.provider import Option, Provider, RateLimit, Response, to_json
from lcw_assets.simulator.venue import Venue


class Toy:
    def __init__(self, market, *, toy_limit=3):
        self.venue, self.limit = Venue(market, "toy", 50), RateLimit(toy_limit, 1)

    def respond(self, request, fault):
        if request.path != "coins/list":
            return self.error(404)
        if not self.limit.spend(request.now):
            return self.error(429)
        second = request.now.timestamp() / 60
        book = {coin.ticker: self.venue.price(coin, second) for coin in self.venue.coins(request.minute)}
        book = {ticker: {"bid": price * 0.9999, "ask": price * 1.0001} for ticker, price in book.items()}
        if request.query:
            book = {ticker: book[ticker] for ticker in request.query.split(",")}
        if fault == "crossed":
            book = {ticker: {"bid": one["ask"], "ask": one["bid"]} for ticker, one in book.items()}
        return Response(200, to_json(book), {"x-toy": "1"}, usable=fault != "crossed")

    def error(self, status):
        return Response(200, to_json({"error": status}), usable=False)


PROVIDER = Provider(
    name="toy_exchange",
    title="Toy Exchange",
    setting="TOY_BASE_URL",
    service=Toy,
    options=(Option("toy_limit", int, "calls a second (3)"),),
    faults=frozenset({"crossed"}),
    profiles={"toy-crossed": lambda draw: Fault("crossed")},
)
"""

AddModule = Callable[[str, str], None]


@pytest.fixture
def add_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddModule]:
    """Put a module into the simulator's package, for one test."""
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path)])
    added: list[str] = []

    def add(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)
        added.append(name)

    yield add
    for name in added:
        sys.modules.pop(f"lcw_assets.simulator.{name}", None)
        vars(package).pop(name, None)


def test_what_there_is() -> None:
    spot = ["binance", "bitstamp", "bybit", "coinbase", "coingecko", "kraken", "kucoin_spot", "okx"]
    assert [one.name for one in discover()] == sorted([*spot, "kucoin_futures", "live_coin_watch"])
    assert all(one.title and one.setting.endswith("_BASE_URL") for one in discover())
    assert [one.name for one in discover() if one.roots] == ["kucoin_futures", "live_coin_watch"]


def test_a_search_imports_this_package_and_not_its_command() -> None:
    program = (
        "import sys; from lcw_assets.simulator.discovery import discover; discover(); "
        "print([name for name in sys.modules if name.startswith('lcw_assets.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names = ast.literal_eval(done.stdout)
    assert "lcw_assets.simulator.kucoin_futures" in names
    assert [name for name in names if not name.startswith("lcw_assets.simulator") or "__main__" in name] == []


@pytest.mark.parametrize("of", ["core", "providers"])
def test_the_core_names_no_provider(of: str) -> None:
    folder = Path(package.__path__[0])
    names = [word for one in discover() for word in (one.name, one.title, one.service.__name__)]
    core = [folder / f"{name}.py" for name in ("server", "discovery", "provider", "faults", "ledger", "__main__")]
    texts = {file: file.read_text() for file in core if file.exists()}
    assert len(texts) == len(core)
    if of == "core":
        assert [(file.name, name) for file, text in texts.items() for name in names if name in text] == []
        return
    for provider in discover():  # nor does a provider name another
        found = [folder / f"{provider.name}.py", *(folder / provider.name).glob("*.py")]
        text = "".join(file.read_text() for file in found if file.exists())
        assert [one.name for one in discover() if one is not provider and f"simulator.{one.name}" in text] == []


def test_a_module_is_served_under_its_name_beside_a_clashing_path(
    add_module: AddModule, start_simulator: StartSimulator
) -> None:
    add_module("toy_exchange", TOY)
    now = NOON
    simulator, address = start_simulator(toy_limit=2, clock=lambda: now)
    [toy] = [one for one in simulator.providers if one.name == "toy_exchange"]
    assert toy.address(address) == f"{address}/toy_exchange"
    response = requests.get(f"{toy.address(address)}/coins/list?BTC,ETH", timeout=PATIENCE_S)
    assert response.headers["x-toy"]
    assert set(response.json()) == {"BTC", "ETH"}
    [first] = requests.post(f"{address}/coins/list", json={"limit": 1}, timeout=PATIENCE_S).json()
    bitcoin = response.json()["BTC"]
    assert first["code"] == "BTC"
    assert bitcoin["bid"] < first["rate"] * 1.0002 and bitcoin["ask"] > first["rate"] * 0.9998
    assert requests.get(f"{toy.address(address)}/else", timeout=PATIENCE_S).json() == {"error": 404}
    assert len(requests.get(f"{toy.address(address)}/coins/list", timeout=PATIENCE_S).json()) > 45
    assert requests.get(f"{toy.address(address)}/coins/list", timeout=PATIENCE_S).json() == {"error": 429}
    entries = [(entry.provider, entry.endpoint, entry.request, entry.good) for entry in simulator.ledger.entries]
    assert entries == [
        ("toy_exchange", "coins/list", "BTC,ETH", True),
        ("live_coin_watch", "coins/list", '{"limit": 1}', True),
        ("toy_exchange", "else", "", False),
        ("toy_exchange", "coins/list", "", True),
        ("toy_exchange", "coins/list", "", False),  # an error under 200
    ]


def test_its_prices_move_within_the_minute(add_module: AddModule, start_simulator: StartSimulator) -> None:
    add_module("toy_exchange", TOY)
    now = NOON
    _, address = start_simulator(toy_limit=10**6, clock=lambda: now)
    bids = set()
    for second in range(10):
        now = NOON.replace(second=second)
        bids.add(requests.get(f"{address}/toy_exchange/coins/list?BTC", timeout=PATIENCE_S).json()["BTC"]["bid"])
    assert len(bids) == 10
    assert max(bids) / min(bids) < 1.001


def test_its_own_faults_are_no_others(add_module: AddModule, start_simulator: StartSimulator) -> None:
    add_module("toy_exchange", TOY)
    simulator, address = start_simulator(profile="toy-crossed")
    book = requests.get(f"{address}/toy_exchange/coins/list?BTC", timeout=PATIENCE_S).json()["BTC"]
    assert book["bid"] > book["ask"]
    assert len(requests.post(f"{address}/coins/list", timeout=PATIENCE_S).json()) == 10
    crossed, whole = simulator.ledger.entries
    assert (crossed.fault, crossed.good) == ("crossed", False)
    assert (whole.fault, whole.good) == ("none", True)


def test_its_options_and_profiles_are_on_the_command_line(
    add_module: AddModule, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lcw_assets.simulator.__main__ import main

    add_module("toy_exchange", TOY)
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    for option in ("--toy-limit", "--credits", "--api-key", "--replay", "--contracts", "--kucoin-limit"):
        assert option in said
    assert "toy-crossed" in said and "kucoin-odd" in said
    assert "Toy Exchange" in said


@pytest.mark.parametrize(
    ("old", "new", "clash"),
    [
        ('name="toy_exchange"', 'name="coins"', "path 'coins'"),
        ('setting="TOY_BASE_URL"', 'setting="T", roots=("status",)', "path 'status'"),
        ('Option("toy_limit"', 'Option("api_key"', "option 'api_key'"),
        ('profiles={"toy-crossed"', 'profiles={"flaky"', "profile 'flaky'"),
    ],
)
def test_two_that_declare_the_same_are_named(add_module: AddModule, old: str, new: str, clash: str) -> None:
    assert old in TOY
    add_module("toy_exchange", TOY.replace(old, new))
    with pytest.raises(ValueError, match=rf"two providers of the simulator declare the {clash}: rename one of them"):
        Simulator()


def test_an_option_that_nobody_declares_is_named() -> None:
    with pytest.raises(
        TypeError, match=r"no option credit: expected one of api_key, binance_markets, .*, credits_per_day"
    ):
        Simulator(credit=5)


def test_the_longest_root_has_a_path() -> None:
    def provider(name: str, *roots: str) -> Provider:
        return Provider(name, name, name, service=lambda market: market, roots=roots)

    providers = [provider("a", "api"), provider("b", "api/v1/contracts"), provider("c")]
    found = {
        path: (one[0].name, one[1]) if (one := route(providers, path)) else None
        for path in (
            "api",
            "api/v1",
            "api/v1/contracts",
            "api/v1/contracts/all",
            "api/v1/contractsx",
            "apix",
            "c/api",
        )
    }
    assert found == {
        "api": ("a", "api"),
        "api/v1": ("a", "api/v1"),
        "api/v1/contracts": ("b", "api/v1/contracts"),
        "api/v1/contracts/all": ("b", "api/v1/contracts/all"),
        "api/v1/contractsx": ("a", "api/v1/contractsx"),
        "apix": None,
        "c/api": ("c", "api"),
    }


def test_both_are_served_at_the_root_and_under_their_names(start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator()
    for path in ("coins/list", "live_coin_watch/coins/list"):
        assert requests.post(f"{address}/{path}", timeout=PATIENCE_S).status_code == 200
    for path in ("api/v1/contracts/active", "kucoin_futures/api/v1/contracts/active"):
        assert requests.get(f"{address}/{path}", timeout=PATIENCE_S).status_code == 200
    response = requests.get(f"{address}/kucoin_futures/api/v1/else", timeout=PATIENCE_S)
    assert (response.status_code, response.json()["code"]) == (404, "404000")
    assert [entry.endpoint for entry in simulator.ledger.entries[:4]] == 2 * ["coins/list"] + 2 * [
        "api/v1/contracts/active"
    ]
    assert [one.address(address) for one in simulator.providers if one.roots] == [address, address]


def test_a_path_of_nobody_says_whose_there_are(start_simulator: StartSimulator) -> None:
    simulator, address = start_simulator(profile="down")
    response = requests.get(f"{address}/no/such/endpoint", timeout=PATIENCE_S)
    assert response.status_code == 404
    said = response.json()["error"]["description"]
    assert said.startswith("no provider serves 'no/such/endpoint': expected a path under api/v1/contracts, binance, ")
    [entry] = simulator.ledger.entries
    assert (entry.provider, entry.endpoint, entry.good) == ("", "no/such/endpoint", False)


def test_a_fault_that_there_is_not_is_named(
    start_simulator: StartSimulator, capsys: pytest.CaptureFixture[str]
) -> None:
    _, address = start_simulator(profile=lambda _: Fault("haff"))
    response = requests.post(f"{address}/overview", timeout=PATIENCE_S)
    assert response.status_code == 500
    assert "ValueError: there is no fault 'haff': expected one of ban, bare, busy, cancel_only, " in response.text
    assert "there is no fault 'haff'" in capsys.readouterr().err


def test_a_profile_sees_who_is_called_and_for_what(add_module: AddModule, start_simulator: StartSimulator) -> None:
    add_module("toy_exchange", TOY)
    draws: list[Draw] = []

    def see(draw: Draw) -> Fault:
        draws.append(draw)
        return Fault()

    _, address = start_simulator(profile=see)
    for path in ("toy_exchange/coins/list?BTC", "toy_exchange/coins/list?BTC", "toy_exchange/coins/list?ETH"):
        requests.get(f"{address}/{path}", timeout=PATIENCE_S)
    requests.post(f"{address}/coins/list", data="BTC", timeout=PATIENCE_S)
    assert [(draw.provider, draw.endpoint, draw.content, draw.number, draw.turn) for draw in draws] == [
        ("toy_exchange", "coins/list", "BTC", 1, 1),
        ("toy_exchange", "coins/list", "BTC", 2, 2),
        ("toy_exchange", "coins/list", "ETH", 3, 1),
        ("live_coin_watch", "coins/list", "BTC", 4, 1),
    ]


def test_it_says_where_each_provider_is() -> None:
    command = [sys.executable, "-m", "lcw_assets.simulator", "--port", "0", "--contracts", "20", "--kucoin-limit", "4"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = [process.stdout.readline().strip() for _ in range(1 + len(discover()))]
        process.terminate()
        assert process.wait(10) == 0
    address = said[0].split(" at ")[1].split()[0]
    assert said[1:] == [f"{one.title}: {one.setting}={one.address(address)}" for one in discover()]
    assert f"KuCoin Futures: KUCOIN_FUTURES_BASE_URL={address}" in said
    assert f"Kraken: KRAKEN_BASE_URL={address}/kraken" in said


def test_the_markets_of_providers_are_one(start_simulator: StartSimulator) -> None:
    """Another seed is another market, everywhere."""
    prices = []
    for seed in (1, 2):
        _, address = start_simulator(seed=seed)
        [coin] = requests.post(f"{address}/coins/list", json={"limit": 1}, timeout=PATIENCE_S).json()
        contract = requests.get(f"{address}/api/v1/contracts/active", timeout=PATIENCE_S).json()["data"][0]
        usd = Market(seed).usd_per("USDT", int(NOON.timestamp()) // 60)
        prices.append((coin["rate"], contract["indexPrice"] * usd))
    for rate, index in prices:
        assert index == pytest.approx(rate, rel=2e-4)
    assert prices[0][0] != pytest.approx(prices[1][0], rel=2e-4)
