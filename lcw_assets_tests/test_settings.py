"""Settings: defaults, ranges, and messages that name the variable and keep the secret."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lcw_assets.settings import DataSettings, Settings, SettingsError, load_dotenv_settings, load_settings

ROOT = Path(__file__).parents[1]


def test_without_any_variable_it_is_a_demo(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.simulated
    assert (settings.source, settings.database.name) == ("simulator", "demo.duckdb")
    assert (settings.coins, settings.exchanges, settings.currency) == (1000, 100, "USD")
    assert (settings.max_in_flight, settings.cycle_deadline_s, settings.base_url) == (8, 45.0, None)


def test_a_key_makes_it_real_and_keeps_it_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    demo = load_settings()
    monkeypatch.setenv("LCW_API_KEY", " k3y\n")
    settings = load_settings()
    assert (settings.source, settings.database.name) == ("lcw", "lcw.duckdb")
    assert settings.spool_dir != demo.spool_dir
    assert settings.api_key and settings.api_key.get_secret_value() == "k3y"
    assert "k3y" not in repr(settings)


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


def test_a_key_that_no_header_can_carry_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_API_KEY", "sécret")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value) == "LCW_API_KEY: it holds a character that no HTTP header can carry"
    assert DataSettings().database.name == "lcw.duckdb"  # who only reads need not care


def test_a_dotenv_file_counts_where_dagster_reads_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LCW_COINS=300\nLCW_API_KEY=\nOTHER=1\n")
    monkeypatch.chdir(tmp_path)
    assert load_dotenv_settings().coins == 300
    assert load_settings().coins == 1000


def test_the_example_file_names_every_variable_with_its_default() -> None:
    text = (ROOT / ".env.example").read_text()
    shown = dict(re.findall(r"^#? ?([A-Z_]+)=(.*)$", text, re.MULTILINE))
    for field in Settings.model_fields.values():
        default = "" if field.default is None else str(field.default)
        assert shown[str(field.alias)] in (default, default.removesuffix(".0"))
        assert field.description and field.description in text
