"""What a project that lives has besides its code, and that none of it contradicts the rest."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
import yaml

from lcw_assets import __version__
from lcw_assets_tests import conftest

ROOT = Path(__file__).parents[1]


def test_what_a_commit_is_held_to_is_what_ci_runs() -> None:
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    ci = (ROOT / ".ci" / "run").read_text()
    for hook in local["hooks"]:
        make, target = hook["entry"].split()
        assert re.search(rf"^{make} .*\b{target}\b", ci, re.MULTILINE), target


def test_hosted_ci_runs_the_command_of_the_project_and_may_only_read() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    assert [step["run"] for step in workflow["jobs"]["run"]["steps"] if "run" in step] == [".ci/run"]
    assert workflow["permissions"] == {"contents": "read"}


def test_the_changelog_names_this_version_or_what_comes_next() -> None:
    titles = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert titles[0] == "Unreleased" or titles[0].startswith(f"{__version__} - ")
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d\d-\d\d", title) for title in titles[1:])


def test_types_are_for_those_who_import_it_as_well() -> None:
    assert files("lcw_assets").joinpath("py.typed").is_file()
    assert '"py.typed"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(("folder", "outcome"), [("none", pytest.skip.Exception), ("no/such", pytest.fail.Exception)])
def test_where_ci_has_no_recorded_responses_it_has_to_say_so(
    monkeypatch: pytest.MonkeyPatch, folder: str, outcome: type[BaseException]
) -> None:
    """Otherwise a wrong path would leave out those tests for ever, and everything would be green."""
    monkeypatch.setenv("CI", "1")
    monkeypatch.setattr(conftest, "RECORDED", Path(folder))
    with pytest.raises(outcome, match="set LCW_RECORDED_DIR"):
        conftest.recorded_folder("lcw")
