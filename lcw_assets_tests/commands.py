"""A fresh project folder with an instance of its own, and the commands that a user types in it."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lcw_assets_tests.patience import PATIENCE_S

ROOT = Path(__file__).parents[1]


@dataclass
class Project:
    """A folder with this project's dagster.yaml and workspace.yaml, and nothing else."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Project:
        folder.mkdir(exist_ok=True, parents=True)
        for name in ("dagster.yaml", "workspace.yaml"):
            shutil.copy(ROOT / name, folder)
        return cls(folder)

    @classmethod
    def checkout(cls, folder: Path) -> Project:
        """All of the project, set up: what a user has after the first `make`, less what that took from a registry."""
        made = shutil.ignore_patterns(
            ".venv", ".git", "data", ".dagster", "*_cache", "__pycache__", "*.egg-info", ".env"
        )
        shutil.copytree(ROOT, folder, ignore=made)
        (folder / ".venv").mkdir()
        for name in ("bin", "lib", "pyvenv.cfg"):
            (folder / ".venv" / name).symlink_to(Path(sys.prefix) / name)
        for stamp in ("run.stamp", "dev.stamp"):
            (folder / ".venv" / stamp).touch()
        return cls(folder)

    def shell(self, line: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A line as a user types it, where `source .venv/bin/activate` was typed before."""
        return subprocess.run(
            ["/bin/bash", "-c", line],
            cwd=self.folder,
            env=self.activated(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )

    def activated(self, **variables: str) -> dict[str, str]:
        venv = self.folder / ".venv"
        given = {"VIRTUAL_ENV": str(venv), "PATH": f"{venv / 'bin'}:{os.environ['PATH']}", **variables}
        environment = self.environment(**given)
        del environment["PYTHONWARNINGS"]  # that is for make to set
        return environment

    @classmethod
    def make_ready(cls, folder: Path) -> Project:
        """With an instance that has its databases, as `make` leaves it: two processes must not meet a fresh one."""
        folder.mkdir()
        shutil.copytree(_set_up().folder, folder, dirs_exist_ok=True)
        return cls(folder)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def environment(self, **variables: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(_NOT_KEPT) and not is_about_the_network(name)
        }
        own = {"DAGSTER_HOME": str(self.folder), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore:Function"}
        return {**kept, **own, **variables}

    def command(self, *arguments: str) -> list[str]:
        """`dagster …`, or `python -m …` when the first argument is a module."""
        program = ["dagster"] if arguments[0] not in ("lcw_assets",) else []
        return [sys.executable, "-m", *program, *arguments]

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def cycle(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """What `make cycle` runs, less the set-up."""
        return self.run(*CYCLE, **variables)


def is_about_the_network(variable: str) -> bool:
    """Proxies and certificates of the developer's own."""
    return variable.upper().endswith(("_PROXY", "_CA_BUNDLE")) or variable in ("NETRC", "SSLKEYLOGFILE")


# Of the developer, and of the make that runs this suite.
_NOT_KEPT = ("LCW_", "KUCOIN_", "DAGSTER_", "PORT", "MAKE", "MFLAGS")


@cache
def _set_up() -> Project:
    """Made once a process: it takes two seconds, most of which is importing Dagster."""
    project = Project.make(Path(tempfile.mkdtemp()) / "project")
    atexit.register(shutil.rmtree, project.folder.parent)
    done = project.run("instance", "info")
    assert done.returncode == 0, done.stdout
    return project


CYCLE = ("job", "execute", "-m", "lcw_assets.definitions", "-j", "fetch_cycle")
