"""set_up.py, which makes .venv: what it says while it does it, and why if it cannot."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lcw_assets_tests.commands import ROOT

# Stands for uv, which not every machine has: it makes the environment, and writes down what it was asked to install.
UV = f"""#!/bin/sh
echo "$@" >> uv.log
case "$1" in
venv) exec {sys.executable} -m venv --without-pip .venv ;;
pip) echo "Resolved 123 packages"; echo " + dagster==1.13.27"; exit "${{UV_FAILS:-0}}" ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout that nobody has set up, and no registry: pip has nothing to install from."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("Makefile", "set_up.py", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "lcw_assets").mkdir()
    (folder / "bin").mkdir()
    for tool in ("python3", "sh", "env", "grep", "touch", "make", "uname", "dirname"):
        (folder / "bin" / tool).symlink_to(sys.executable if tool == "python3" else str(shutil.which(tool)))
    return folder


def set_up(folder: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command or (sys.executable, "set_up.py"),
        cwd=folder,
        env={"PATH": str(folder / "bin"), "HOME": str(folder), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def install_uv(folder: Path) -> None:
    (folder / "bin" / "uv").write_text(UV)
    (folder / "bin" / "uv").chmod(0o755)


def test_a_set_up_that_fails_says_why_and_is_done_again(folder: Path) -> None:
    python = str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info[1]}")
    done = set_up(folder, "make", "status", f"PYTHON={python if Path(python).exists() else sys.executable}")
    assert done.returncode != 0
    said = done.stdout.splitlines()
    assert "into .venv with pip; a minute or two, once" in said[0]
    assert any(
        line.startswith("set-up   | ") and "No matching distribution found for setuptools" in line for line in said
    )
    assert "set-up   stopped: the lines above say why. `make` goes on from here once that is mended" in said
    assert "Traceback" not in done.stdout
    assert not (folder / ".venv" / "run.stamp").exists()


def test_uv_is_used_where_it_is(folder: Path) -> None:
    install_uv(folder)
    done = set_up(folder)
    assert done.returncode == 0, done.stdout
    assert "into .venv with uv; a minute or two, once" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("set-up   done in ")
    installs = "pip install --python .venv/bin/python -c constraints.txt -e ."
    assert (folder / "uv.log").read_text().splitlines() == [f"venv --python {sys.executable} .venv", installs]
    again = set_up(folder, sys.executable, "set_up.py", "dev")
    assert again.returncode == 0, again.stdout
    assert (folder / "uv.log").read_text().splitlines()[2:] == [f"{installs}[dev]"]


def test_where_uv_cannot_pip_is_tried(folder: Path) -> None:
    """uv does not read pip's configuration: an office's mirror may be named there alone."""
    install_uv(folder)
    done = set_up(folder, UV_FAILS="1")
    assert "set-up   |  + dagster==1.13.27" in done.stdout
    assert "set-up   uv could not: it is tried with pip" in done.stdout
    assert "No matching distribution found for setuptools" in done.stdout  # pip's own words


def test_an_activated_environment_knows_where_the_runs_are(folder: Path) -> None:
    install_uv(folder)
    for _ in range(2):  # a second set-up does not say it twice
        assert set_up(folder).returncode == 0
    script = ". .venv/bin/activate; echo $DAGSTER_HOME"
    done = subprocess.run(["/bin/sh", "-c", script], cwd=folder, stdout=subprocess.PIPE, text=True, env={})
    assert done.stdout == f"{folder}\n"
    assert (folder / ".venv" / "bin" / "activate").read_text().count("DAGSTER_HOME") == 1


def test_another_python_is_refused_in_one_line(folder: Path) -> None:
    older = "import sys, runpy; sys.version_info = (3, 9, 1); runpy.run_path('set_up.py', run_name='__main__')"
    done = set_up(folder, sys.executable, "-c", older)
    assert done.returncode == 1
    assert done.stdout == (
        f"lcw-assets needs Python 3.10 to 3.13 and {sys.executable} is 3.9: try make PYTHON=python3.12\n"
    )
    ast.parse((ROOT / "set_up.py").read_text(), feature_version=(3, 7))  # so that an older one gets to that line
    assert not (folder / ".venv").exists()
