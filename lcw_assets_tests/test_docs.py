"""The documentation's claims that can be run are run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import duckdb
import pytest
from pydantic_settings import BaseSettings

from lcw_assets.settings import Settings
from lcw_assets.settings.sources import variables_of
from lcw_assets.sources.spec import discover
from lcw_assets.warehouse.schema import migrate
from lcw_assets_tests.commands import ROOT, Project

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def blocks(file: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / file).read_text(), re.DOTALL)


def test_the_asset_of_ten_lines_runs_with_its_test(tmp_path: Path) -> None:
    """What the reader does: copy the two blocks into a checkout and run pytest."""
    module, test = blocks("extending.md", "python")
    assert len([line for line in module.split("def movers")[1].splitlines() if line.strip()]) <= 10
    shutil.copytree(ROOT / "lcw_assets", tmp_path / "lcw_assets")
    (tmp_path / "lcw_assets" / "defs" / "movers.py").write_text(module)
    (tmp_path / "test_movers.py").write_text(test)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_movers.py"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "LCW_COINS": "600"},
        capture_output=True,
        text=True,
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_queries_of_the_docs_work() -> None:
    with duckdb.connect() as db:
        migrate(db)
        for query in (
            query for file in DOCS.glob("*.md") for sql in blocks(file.name, "sql") for query in sql.split(";\n\n")
        ):
            db.execute(query)


def test_every_path_and_link_exists() -> None:
    for file in PAGES:
        text = file.read_text()
        links = re.findall(r"\]\((?!http)([^)]+)\)", text) + re.findall(r'src="([^"]+)"', text)
        for link in links:
            assert (file.parent / link.partition("#")[0]).exists(), (file, link)
        for path in re.findall(r"`((?:lcw_assets|lcw_assets_tests|benchmarks)/[\w/.*]+)`", text):
            assert list(ROOT.glob(path.rstrip("/"))) or path == "lcw_assets/defs/movers.py", (file, path)


def test_every_variable_that_is_named_exists() -> None:
    models: list[type[BaseSettings]] = [Settings, *map(variables_of, discover().values())]
    known = {str(field.alias) for model in models for field in model.model_fields.values()} | {"LCW_RECORDED_DIR"}
    for file in PAGES:
        assert set(re.findall(r"\bLCW_[A-Z_]+\b", file.read_text())) <= known, file


# A command that is typed, in text: with its arguments. `dagster job backfill` alone names it, and `dagster` a library.
_TYPED = re.compile(r"make|(make|cp|source|python -m|dg|dagster) .*|\.ci/\w+")

# What is not run here, with the reason. Everything else in README, CONTRIBUTING and docs is.
NOT_RUN = {
    r"make": "that is `make cycle`",
    r"make test( .*)?": "that is this suite",
    r"make lint types": "these read the code, and CI runs them",
    r"\.ci/(run|matrix|dates)": "these run this suite, and CI runs the first",
    r"(\S+=\S+ )?make dev": "it runs for ever: test_dev runs it",
    r"make slow-demo": "it takes two minutes: test_slow_demo runs it",
    r"python -m benchmarks\.\w+.*": "they take from minutes to hours, and measure",
    r"(dagster job backfill|dg launch --config-json)": "named, without its arguments",
    r"dagster asset materialize .* --select market/movers": "its asset is the example that is tested above",
}


@dataclass(frozen=True)
class Command:
    """A command of the documentation, and the lines that it is shown to say."""

    line: str
    shown: tuple[str, ...] = ()


def commands(file: Path) -> list[Command]:
    """In their order: those in blocks, then those in the text."""
    text = file.read_text()
    block = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    found = []
    for language, body in block.findall(text):
        lines = [line.strip() for line in body.splitlines() if line.strip()]
        if language == "sh":
            found += [Command(re.sub(r" +#.*", "", line)) for line in lines]
        for number, line in enumerate(lines):
            if language == "" and line.startswith("$ "):
                shown = takewhile(lambda line: not line.startswith("$ "), lines[number + 1 :])
                found.append(Command(line[2:], tuple(shown)))
    spans = (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", block.sub("", text)))
    return found + [Command(span) for span in spans if _TYPED.fullmatch(span)]


# What differs from run to run in a line that is shown, and what stands for it.
_VARIES = {
    r"\.\.\.\s+|\s+\.\.\.": ".*",  # left out
    r"`\w{8}`": r"`\w+`",  # the id of a backfill
    r"\d[\w,.:-]*": r"[\w,.:-]+",  # a number, a moment, an id
    r"\bmet\b": r"(met|\d missed)",  # on a busy machine
    r"data/": r"\S*data/",
    "─+": "─+",
    r"\s+": r"\s+",
}


def as_pattern(shown: str) -> re.Pattern[str]:
    """A line that is shown, as it is in any run."""
    varies = re.compile("|".join(f"({token})" for token in _VARIES))
    stands_for = list(_VARIES.values())
    pattern, end = "", 0
    for found in varies.finditer(shown):
        pattern += re.escape(shown[end : found.start()]) + stands_for[(found.lastindex or 1) - 1]
        end = found.end()
    return re.compile(pattern + re.escape(shown[end:]))


@pytest.mark.parametrize("files", [PAGES[:1], PAGES[1:]], ids=["README", "the others"])
def test_every_command_works_as_printed(files: list[Path], tmp_path: Path) -> None:
    """In a checkout with a cycle in it, one after the other, each with what the documentation shows of its output."""
    project = Project.checkout(tmp_path / "project")
    variables = {"LCW_BURST": "1000", "LCW_DATA_DIR": str(project.data)}
    first = project.shell("make", **variables)
    assert first.returncode == 0, first.stdout
    typed = dict.fromkeys(command for file in files for command in commands(file))
    with ExitStack() as servers:
        address = ""
        for command in typed:
            if any(re.fullmatch(line, command.line) for line in NOT_RUN):
                continue
            if command.line.startswith("python -m lcw_assets.simulator"):
                address = servers.enter_context(simulator(project, command.line.replace("8899", "0")))
                continue
            done = project.shell(command.line.replace("http://127.0.0.1:8899", address), **variables)
            assert done.returncode == 0, (command.line, done.stdout)
            for line in command.shown:
                pattern = as_pattern(line)
                assert any(pattern.fullmatch(said.strip()) for said in done.stdout.splitlines()), (line, done.stdout)


def test_what_is_typed_comes_with_the_set_up() -> None:
    """On a machine that has nothing but Python, make and what pyproject.toml names."""
    declared = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[0]
    comes_from = {"dagster": '"dagster>', "dg": '"dagster-dg-cli>', "python": "", "make": "", "source": "", "cp": ""}
    for command in (command for file in PAGES for command in commands(file)):
        program = re.sub(r"^(\S+=\S+ )+", "", command.line).split()[0]
        assert program in comes_from or program.startswith(".ci/"), command.line
        assert comes_from.get(program, "") in declared, command.line


def test_a_cycle_ends_as_the_readme_shows_it(tmp_path: Path) -> None:
    [shown] = re.findall(r"```\n(cycle .*?)```", PAGES[0].read_text(), re.DOTALL)
    done = Project.checkout(tmp_path / "project").shell("make", LCW_DATA_DIR="data")
    said = [line for line in done.stdout.splitlines() if line]
    lines = shown.splitlines()
    for line, expected in zip(said[-len(lines) :], lines, strict=True):
        assert as_pattern(expected).fullmatch(line), (expected, line)


def test_what_is_not_run_is_still_in_the_documentation() -> None:
    typed = {command.line for file in PAGES for command in commands(file)}
    for line in NOT_RUN:
        assert any(re.fullmatch(line, command) for command in typed), line


@contextmanager
def simulator(project: Project, line: str) -> Iterator[str]:
    """Run one until the block ends. Gives its address."""
    with subprocess.Popen(
        ["/bin/bash", "-c", f"exec {line}"],
        cwd=project.folder,
        env=project.activated(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            said = process.stdout.readline()
            [address] = re.findall(r"http://127\.0\.0\.1:\d+", said)
            yield address
        finally:
            process.terminate()
