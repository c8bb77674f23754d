"""What a source declares: found by folder, and refused in one line that says what is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lcw_assets.settings import Settings
from lcw_assets.simulator.discovery import discover as providers
from lcw_assets.simulator.server import Simulator
from lcw_assets.sources.spec import Source, SourceError, discover
from lcw_assets.warehouse.connection import open_database
from lcw_assets_tests.sources.toy import SPEC, AddSource, add_source

__all__ = ["add_source"]

SOURCES = discover()


def test_what_there_is() -> None:
    assert {name: (one.title, one.demo_name) for name, one in SOURCES.items()} == {
        "binance": ("Binance", "binance-simulator"),
        "bitstamp": ("Bitstamp", "bitstamp-simulator"),
        "bybit": ("Bybit", "bybit-simulator"),
        "coinbase": ("Coinbase Exchange", "coinbase-simulator"),
        "coingecko": ("CoinGecko", "coingecko-simulator"),
        "kraken": ("Kraken", "kraken-simulator"),
        "kucoin": ("KuCoin Futures", "kucoin-simulator"),
        "kucoin_spot": ("KuCoin Spot", "kucoin_spot-simulator"),
        "lcw": ("Live Coin Watch", "simulator"),
        "okx": ("OKX", "okx-simulator"),
    }


@pytest.mark.parametrize("source", SOURCES.values(), ids=list(SOURCES))
def test_a_declaration_fits_the_rest_of_the_project(source: Source, tmp_path: Path) -> None:
    """What loading cannot look at, because it would import clients, simulators and DuckDB."""
    assert source.client_class().__module__ == source.client.partition(":")[0]
    Simulator(**source.simulator_options)
    [provider] = [one for one in providers() if one.name == source.simulator]
    assert provider.setting == f"{source.variables}_BASE_URL"
    assert set(source.client_settings) <= set(Settings.model_fields)
    table, column = source.watch
    with open_database(tmp_path / "demo.duckdb") as db:
        assert db.execute(f"SELECT max({column}) FROM {table}").fetchall() == [(None,)]


def test_a_folder_is_enough(add_source: AddSource) -> None:
    add_source()
    toy = discover()["toy"]
    assert list(discover()) == sorted([*SOURCES, "toy"])
    assert (toy.demo_name, toy.largest_body, toy.call_s) == ("toy-simulator", 1_000_000, 7.0)


def test_what_a_removed_source_leaves_behind_is_none(add_source: AddSource) -> None:
    (add_source().parents[1] / "gone" / "__pycache__").mkdir(parents=True)
    assert list(discover()) == sorted([*SOURCES, "toy"])


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ('    name="toy",\n', "", "name is missing: expected the `source` of live rows"),
        ('    watch=("market.coins", "observed_at"),\n', "", "watch is missing: expected the table and the column"),
        ("needs_key=True", 'needs_key="yes"', "needs_key='yes': Input should be a valid boolean: expected True if"),
        ("adjustable_rate", "ajustable_rate", "there is no field ajustable_rate: did you mean adjustable_rate?"),
        ("call_s=7.0", "zzzz=7.0", "there is no field zzzz: expected one of name, title, variables, "),
        ("call_s=7.0", "call_s=0.0", "call_s=0.0: Input should be greater than 0: expected seconds that one request"),
        ('name="toy"', 'name="toy-history"', "name='toy-history': String should match pattern"),
        ('"TOY"', '"toy"', "variables='toy': String should match pattern"),
        ("https://", "", "base_url='api.toy.example/v1': String should match pattern"),
        ('key_header="authorization",', "", "key_header=None: it goes together with needs_key=True: expected the HTTP"),
        ("burst=2000", "burst=500", "out of range: expected Rate(per_s=, burst=, reserve=): above 0, at least 1, and"),
        ("live_coin_watch", "live_coin_wach", "simulator='live_coin_wach': there is no such module: expected a module"),
        ("toy.client:Toy", "toy.cliet:Toy", "client='lcw_assets.sources.toy.cliet:Toy': there is no such module: exp"),
        ("client:Toy", "client:Tay", "client='lcw_assets.sources.toy.client:Tay': the module has no such class: expe"),
        ("market.coins", "coins", "watch='coins': String should match pattern"),
        ("SOURCE", "SORCE", " has no SOURCE: expected SOURCE = Source(...)"),
        ("per_s=1000", "pers=1000", "unexpected keyword argument 'pers': expected SOURCE = Source(...)"),
        ("Source(", "Source((", "SyntaxError: '(' was never closed"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_file_and_the_field(
    add_source: AddSource, line: str, instead: str, said: str
) -> None:
    assert line in SPEC
    file = add_source(spec=SPEC.replace(line, instead))
    with pytest.raises(SourceError) as raised:
        discover()
    assert str(raised.value).startswith(str(file))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_folder_without_a_declaration_is_named(add_source: AddSource) -> None:
    file = add_source(spec=None)
    with pytest.raises(SourceError) as raised:
        discover()
    assert str(raised.value) == f"{file} is missing: expected a file with SOURCE = Source(...)"


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        ('name="toy"', 'name="lcw"', "name='lcw' is taken by "),
        ('name="toy"', 'name="simulator"', "name='simulator' is taken by "),
        ('"TOY"', '"KUCOIN_FUTURES"', "variables='KUCOIN_FUTURES' is taken by "),
        ("call_s=7.0", 'demo_name="simulator"', "demo_name='simulator' is taken by "),
    ],
)
def test_two_sources_are_never_the_same(add_source: AddSource, line: str, instead: str, said: str) -> None:
    file = add_source(spec=SPEC.replace(line, instead))
    with pytest.raises(SourceError) as raised:
        discover()
    assert str(raised.value).startswith(f"{file}: {said}")
    assert str(raised.value).endswith("spec.py: expected one of its own")


def test_definitions_do_not_load_with_a_wrong_one(add_source: AddSource) -> None:
    from lcw_assets.definitions import defs

    add_source(spec=SPEC.replace("title", "tilte"))
    with pytest.raises(SourceError, match=r"title is missing:.*; there is no field tilte: did you mean title\?"):
        defs().get_repository_def()


def test_finding_them_imports_no_client(tmp_path: Path) -> None:
    program = "import sys; from lcw_assets.sources.spec import discover; discover(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"requests", "duckdb", "dagster", "uvicorn", "lcw_assets.transport"}
    assert "lcw_assets.sources.lcw.spec" in loaded
