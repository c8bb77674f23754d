"""Settings: defaults, ranges, and messages that name the variable and keep the secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from lcw_assets.settings import DataSettings, Settings, SettingsError, load_settings
from lcw_assets.settings.addresses import SHORTEST_KEY
from lcw_assets.settings.environment import ca_bundle
from lcw_assets.settings.sources import variables_of
from lcw_assets.settings.user_files import read_dotenv
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.sources.spec import discover
from lcw_assets.transport.secret import NO_WORD

ROOT = Path(__file__).parents[2]

# As Live Coin Watch gives them.
KEY = "0d5a1c3e-7b62-4f18-9a4d-2f6e8c0b7d91"


def test_without_any_variable_it_is_a_demo(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.simulated
    assert (settings.of(LCW).name, settings.database.name) == ("simulator", "demo.duckdb")
    assert (settings.coins, settings.exchanges, settings.currency) == (1000, 100, "USD")
    assert (settings.max_in_flight, settings.cycle_deadline_s, settings.of(LCW).base_url) == (8, 45.0, None)


def test_a_key_makes_it_real_and_keeps_it_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    demo = load_settings()
    monkeypatch.setenv("LCW_API_KEY", f" {KEY}\n")
    settings = load_settings()
    assert (settings.of(LCW).name, settings.database.name) == ("lcw", "lcw.duckdb")
    assert settings.of(LCW).spool_dir != demo.of(LCW).spool_dir
    key = settings.of(LCW).key
    assert key and key.get_secret_value() == KEY
    assert KEY not in f"{settings!r} {settings.of(LCW)!r}"


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_key_is_no_key(monkeypatch: pytest.MonkeyPatch, empty: str) -> None:
    monkeypatch.setenv("LCW_API_KEY", empty)
    assert load_settings().simulated


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LCW_COINS", "0", "LCW_COINS=0 is out of range: it must be a number from 1 to 50000"),
        ("LCW_COINS", "many", "LCW_COINS=many is out of range: it must be a number from 1 to 50000"),
        ("LCW_EXCHANGES", "9999", "LCW_EXCHANGES=9999 is out of range: it must be a number from 1 to 5000"),
        ("LCW_MAX_IN_FLIGHT", "21", "LCW_MAX_IN_FLIGHT=21 is out of range: it must be a number from 1 to 20"),
        ("LCW_CYCLE_DEADLINE_S", "60", "LCW_CYCLE_DEADLINE_S=60 is out of range: it must be a number from 5 to 55"),
        ("LCW_CYCLE_DEADLINE_S", "nan", "LCW_CYCLE_DEADLINE_S=nan is out of range: it must be a number from 5 to 55"),
        ("LCW_BASE_URL", "localhost:8899", "LCW_BASE_URL=localhost:8899: it must look like https://host"),
        ("LCW_BASE_URL", "http://me:pw@host", "LCW_BASE_URL=http://***@host: it must look like https://host"),
        ("LCW_BASE_URL", "http://:pw@host", "LCW_BASE_URL=http://***@host: it must look like https://host"),
        ("LCW_BASE_URL", "http://pw@host", "LCW_BASE_URL=http://***@host: it must look like https://host"),
        ("LCW_BASE_URL", "http://me:p/w@host", "LCW_BASE_URL=http://***@host: it must look like https://host"),
        ("LCW_BASE_URL", "http://me:p#w@h@host", "LCW_BASE_URL=http://***@host: it must look like https://host"),
        ("LCW_BASE_URL", "http:/me:pw@host", "LCW_BASE_URL=***@host: it must look like https://host"),
        ("LCW_BASE_URL", "me:pw@host", "LCW_BASE_URL=***@host: it must look like https://host"),
        ("LCW_BASE_URL", "http://ho st", "LCW_BASE_URL=http://ho st: it must look like https://host"),
        ("LCW_BASE_URL", "http://host:99999", "LCW_BASE_URL=http://host:99999: it must look like https://host"),
        ("LCW_BASE_URL", "http://host/?key=1", "LCW_BASE_URL=http://host/?***: it must look like https://host"),
        ("KUCOIN_FUTURES_BASE_URL", "http://:pw@host", "KUCOIN_FUTURES_BASE_URL=http://***@host: it must look like"),
        ("LCW_DATA_DIR", "~nobody-of-this-name/x", "LCW_DATA_DIR=~nobody-of-this-name/x: Could not determine home"),
        ("LCW_CURRENCY", "a b", "LCW_CURRENCY=a b: it must be a code such as USD, EUR or BTC"),
    ],
)
def test_what_is_out_of_range_is_named_with_the_range(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value).startswith(message)


def test_everything_that_is_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_COINS", "-1")
    monkeypatch.setenv("LCW_EXCHANGES", "x")
    with pytest.raises(SettingsError, match=r"LCW_COINS=-1 .*; LCW_EXCHANGES=x "):
        load_settings()


@pytest.mark.parametrize("key", ["C1", "USDT", "Ethereum", "x" * 19, "two words of a long sentence"])
def test_what_is_too_short_for_a_key_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """It may be a word, such as the code of a coin, and would be blotted out wherever it stands."""
    monkeypatch.setenv("LCW_API_KEY", key)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value) == (
        f"LCW_API_KEY: {len(key)} characters are no key of Live Coin Watch, which has 36 and no blanks: "
        "copy it from https://www.livecoinwatch.com/tools/api, or set it to nothing for demo data"
    )


def test_no_key_that_is_taken_counts_as_a_word() -> None:
    assert SHORTEST_KEY >= NO_WORD


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("http://me:pw@host:3000/x", "http://host:3000/x"),
        ("https://:pw@host", "https://host"),
        ("me:p/w@host", "host"),
        ("http://host:3000", "http://host:3000"),
    ],
)
def test_links_in_alerts_hold_no_password(monkeypatch: pytest.MonkeyPatch, given: str, shown: str) -> None:
    monkeypatch.setenv("LCW_UI_URL", given)
    assert DataSettings().ui_url == load_settings().ui_url == shown


def test_a_key_that_no_header_can_carry_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_API_KEY", "sécret-of-a-length-that-is-right")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value) == "LCW_API_KEY: it holds a character that no HTTP header can carry"
    assert DataSettings().database.name == "lcw.duckdb"  # who only reads need not care


def test_a_name_and_a_value_that_an_editor_marked_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Dagster leaves them in the environment, of a .env with a byte order mark and a trailing Ctrl-Z."""
    monkeypatch.setenv("LCW_COINS", "100")
    monkeypatch.setenv("\ufeffLCW_COINS", "200")
    monkeypatch.setenv("LCW_EXCHANGES", "50\x1a")
    settings = load_settings()
    assert (settings.coins, settings.exchanges) == (200, 50)


def test_the_ca_bundle_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ca_bundle() is None
    monkeypatch.setenv("CURL_CA_BUNDLE", "/b.pem")
    assert ca_bundle() == ("CURL_CA_BUNDLE", "/b.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/a.pem")
    assert ca_bundle() == ("REQUESTS_CA_BUNDLE", "/a.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")
    assert ca_bundle() == ("CURL_CA_BUNDLE", "/b.pem")


def test_the_example_file_sets_nothing() -> None:
    """Copied to .env, it would hide what the shell exports."""
    assert read_dotenv(ROOT / ".env.example") == {}


def test_the_example_file_names_every_variable_with_its_default() -> None:
    text = (ROOT / ".env.example").read_text()
    shown = dict(re.findall(r"^#? ?([A-Z_]+)=(.*)$", text, re.MULTILINE))
    models: list[type[BaseSettings]] = [Settings, *(variables_of(source) for source in discover().values())]
    for field in [field for model in models for field in model.model_fields.values()]:
        default = "" if field.default is None else str(field.default)
        assert shown[str(field.alias)] in (default, default.removesuffix(".0"))
        assert field.description and field.description in text
