"""What holds for one source: from its declaration, the mode, and its variables."""

from __future__ import annotations

import pytest

from lcw_assets.coordination.rate_limit import Rate
from lcw_assets.settings import DataSettings, SettingsError, load_settings
from lcw_assets.settings.sources import variables_of
from lcw_assets.sources.kucoin_futures.spec import SOURCE as KUCOIN
from lcw_assets.sources.lcw.spec import SOURCE as LCW
from lcw_assets.sources.spec import discover, loaded_together
from lcw_assets_tests.settings.test_settings import KEY
from lcw_assets_tests.sources.toy import AddSource, add_source

__all__ = ["add_source"]


@pytest.mark.parametrize(
    ("mode", "key", "demo"),
    [
        *(("", "", True), ("", KEY, False), ("  ", KEY, False)),
        *(("demo", "", True), ("demo", KEY, True)),
        *(("live", "", False), ("live", KEY, False), (" live ", "", False)),
    ],
)
def test_the_mode_decides_for_all_of_the_installation(
    monkeypatch: pytest.MonkeyPatch, mode: str, key: str, demo: bool
) -> None:
    monkeypatch.setenv("LCW_MODE", mode)
    monkeypatch.setenv("LCW_API_KEY", key)
    for settings in (DataSettings(), load_settings()):
        assert settings.simulated == demo
        assert settings.database.name == ("demo.duckdb" if demo else "lcw.duckdb")
        assert [settings.of(source).name for source in (KUCOIN, LCW)] == (
            ["kucoin-simulator", "simulator"] if demo else ["kucoin", "lcw"]
        )
        assert settings.spool_folders() == [settings.of(source).spool_dir for source in loaded_together()]
        assert settings.of(LCW).spool_dir == settings.data_dir / "spool" / ("simulator" if demo else "lcw")
        assert settings.of(KUCOIN).off is None
        assert (settings.of(LCW).off is None) == (demo or bool(key))


@pytest.mark.parametrize("mode", ["test", "Live", "demo,live", "1"])
def test_another_mode_is_an_error_for_everybody(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setenv("LCW_MODE", mode)
    for read in (DataSettings, load_settings):
        with pytest.raises(SettingsError) as raised:
            read()
        assert str(raised.value) == (
            f"LCW_MODE={mode}: it must be demo or live, or not set: then it is live exactly when LCW_API_KEY is set"
        )


def test_off_says_why_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_MODE", "live")
    assert load_settings().of(LCW).off == (
        "Live Coin Watch is off: LCW_API_KEY is not set, and in live mode nothing is simulated: set it, or "
        "LCW_MODE=demo"
    )


def test_in_a_demo_there_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LCW_API_KEY", KEY)
    assert load_settings().of(LCW).key is not None
    monkeypatch.setenv("LCW_MODE", "demo")
    assert load_settings().of(LCW).key is None


def test_a_rate_that_is_set_keeps_its_part_in_reserve(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().of(LCW).rate == Rate(5.0, 16, 8)
    monkeypatch.setenv("LCW_CALLS_PER_S", "0.5")
    monkeypatch.setenv("LCW_BURST", "4")
    monkeypatch.setenv("KUCOIN_FUTURES_BURST", "1")  # which is no setting
    assert load_settings().of(LCW).rate == Rate(0.5, 4, 2)
    assert load_settings(LCW_BURST=40).of(LCW).rate == Rate(0.5, 40, 20)
    assert load_settings().of(KUCOIN).rate == KUCOIN.rate


def test_what_is_wrong_with_a_source_is_said_with_all_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LCW_COINS": "0", "LCW_BURST": "0", "KUCOIN_FUTURES_BASE_URL": "host"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value) == (
        "LCW_COINS=0 is out of range: it must be a number from 1 to 50000; "
        "KUCOIN_FUTURES_BASE_URL=host: it must look like https://host or http://host:port, without user name or query; "
        "LCW_BURST=0 is out of range: it must be a number from 1 to 1000"
    )
    own = DataSettings().of(LCW)  # who only looks into spools need not care
    assert (own.name, own.off) == ("simulator", None)


def test_a_new_source_has_its_variables(add_source: AddSource, monkeypatch: pytest.MonkeyPatch) -> None:
    add_source()
    toy = discover()["toy"]
    assert {str(field.alias) for field in variables_of(toy).model_fields.values()} == {
        "TOY_BASE_URL", "TOY_API_KEY", "TOY_CALLS_PER_S", "TOY_BURST",
    }  # fmt: skip
    assert {str(field.alias) for field in variables_of(KUCOIN).model_fields.values()} == {"KUCOIN_FUTURES_BASE_URL"}
    assert toy.demo_name in {folder.name for folder in DataSettings().spool_folders()}
    monkeypatch.setenv("TOY_API_KEY", "short")
    load_settings()  # in demo mode no key is needed
    monkeypatch.setenv("LCW_MODE", "live")
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value) == "TOY_API_KEY: 5 characters are no key of Toy Exchange"
    load_settings(KUCOIN)  # whose loads it does not concern
    monkeypatch.setenv("TOY_API_KEY", KEY)
    own = load_settings().of(toy)
    assert own.off is None and own.key and own.key.get_secret_value() == KEY
    assert own.rate == Rate(1000, 2000, 500)
    assert KEY not in repr(own)
