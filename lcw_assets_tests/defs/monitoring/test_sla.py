"""The SLA file: what comes with the project, and what a user may get wrong in a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from lcw_assets.defs.monitoring.sla import BUILT_IN, SlaError, load_sla


def test_the_built_in_sets_are_those_of_the_agreement() -> None:
    sla = load_sla()
    said = {name: [f"{target.name} {target.limit}" for target in targets] for name, targets in sla.sets.items()}
    assert said == {
        "short_term": ["p99 under 45 s", "share over 60 s under 0.5 %", "mean under 18 s"],
        "long_term": ["share within 25 s at least 95 %", "share over 60 s at most 0 %", "mean under 16 s"],
        "ours": ["p99 under 8 s", "share over 20 s at most 0 %", "mean under 4 s"],
    }
    assert (sla.checks.cycle_warn_s, sla.checks.cycle_error_s, sla.checks.blocking) == (30, 60, ())
    assert (sla.bands.fast_s, sla.bands.normal_s, sla.bands.slow_s) == (20, 30, 60)


def test_a_changed_copy_counts(tmp_path: Path) -> None:
    file = tmp_path / "sla.toml"
    file.write_text(BUILT_IN.read_text().replace("cycle_warn_s = 30", "cycle_warn_s = 12"))
    assert load_sla(file).checks.cycle_warn_s == 12


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("fast_s = 20", "fast_s = 40", "bands: fast_s, normal_s and slow_s must grow"),
        ("fast_s = 20", "fast_s = 0", "bands.fast_s: Input should be greater than 0"),
        ("fast_s = 20", "", "bands.fast_s: Field required"),
        ("cycle_warn_s = 30", "cycle_warn_s = 90", "checks: cycle_warn_s must be below cycle_error_s"),
        ("blocking = []", 'blocking = ["all"]', "checks.blocking[0]: Input should be 'cycle_time'"),
        ('"p99_s", under = 45', '"p98_s", under = 45', "sets.short_term[0].measure: Input should be 'mean_s'"),
        ('"p99_s", under = 45', '"p99_s"', "sets.short_term[0]: a target has one of: under, at_most, at_least"),
        ('"p99_s", under = 45', '"p99_s", under = 45, at_most = 4', "sets.short_term[0]: a target has one of"),
        ('"p99_s", under = 45', '"p99_s", seconds = 1, under = 45', "sets.short_term[0]: `seconds` goes with share_"),
        ("[bands]", "[band]", "bands: Field required; band: Extra inputs are not permitted"),
        ("[bands]", "[bands", "is not TOML at line 9, column 7"),
    ],
)
def test_a_wrong_file_is_refused_by_name_and_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    file = tmp_path / "sla.toml"
    assert old in BUILT_IN.read_text()
    file.write_text(BUILT_IN.read_text().replace(old, new))
    with pytest.raises(SlaError) as raised:
        load_sla(file)
    assert str(raised.value).startswith(f"the SLA file {file}")
    assert said in str(raised.value)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_copy_is_read_whatever_editor_saved_it(tmp_path: Path, encoding: str, end: str) -> None:
    file = tmp_path / "sla.toml"
    file.write_bytes(f"{BUILT_IN.read_text()}\x1a".replace("\n", end).encode(encoding))
    assert load_sla(file) == load_sla()


@pytest.mark.parametrize("text", ["s3cret", "[s3cret]\n[s3cret]\n", "s3cret = 1\ns3cret = 2\n", 'a = "s3cret\n"'])
def test_what_is_no_toml_is_reported_by_its_place_and_not_repeated(tmp_path: Path, text: str) -> None:
    """It may be another file than was meant."""
    file = tmp_path / "sla.toml"
    file.write_text(text)
    with pytest.raises(SlaError, match=r"is not TOML at (line \d+, column \d+|its end)$") as raised:
        load_sla(file)
    assert "s3cret" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SlaError, match=rf"the SLA file {tmp_path}/none.toml cannot be read: No such file"):
        load_sla(tmp_path / "none.toml")
