"""Sets .venv up: `python3 set_up.py` for running, `python3 set_up.py dev` for the tests as well. `make` does it.

With uv where there is one, else with pip. Says what it does while it does it, and why if it cannot.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"

# So that `dagster` and `dg` find this project's runs once the environment is active.
ACTIVATE = {
    "activate": '\nexport DAGSTER_HOME="${VIRTUAL_ENV%/.venv}"\n',
    "activate.fish": '\nset -gx DAGSTER_HOME (dirname "$VIRTUAL_ENV")\n',
}


def say(text):
    sys.stdout.write(f"set-up   {text}\n")
    sys.stdout.flush()


def run(*command):
    """True if it succeeds. On a terminal its latest line is shown while it runs; if it fails, its last lines are."""
    lines = []
    width = shutil.get_terminal_size().columns - 10
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    ) as process:
        for line in process.stdout:
            lines.append(line.rstrip())
            if sys.stdout.isatty():
                sys.stdout.write(f"\r\033[K         {lines[-1].strip()[:width]}")
                sys.stdout.flush()
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K")
    if process.returncode:
        for line in [line for line in lines if line][-12:]:
            say(f"| {line}")
    return process.returncode == 0


def with_uv(uv, what):
    return (PYTHON.exists() or run(uv, "venv", "--python", sys.executable, str(VENV))) and run(
        uv, "pip", "install", "--python", str(PYTHON), "-c", "constraints.txt", "-e", what
    )


def with_pip(what):
    return run(sys.executable, "-m", "venv", str(VENV)) and run(
        str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-c", "constraints.txt", "-e", what
    )


def main():
    version = sys.version_info[:2]
    if not (3, 10) <= version < (3, 14):
        return (
            f"lcw-assets needs Python 3.10 to 3.13 and {sys.executable} is {version[0]}.{version[1]}: "
            "try make PYTHON=python3.12"
        )
    started = time.time()
    what = ".[dev]" if sys.argv[1:] == ["dev"] else "."
    uv = shutil.which("uv")
    goal = "what the tests need" if what != "." else "Dagster, DuckDB and what they need, some 120 packages"
    say(f"installing {goal} into .venv with {'uv' if uv else 'pip'}; a minute or two, once")
    done = with_uv(uv, what) if uv else False
    if uv and not done:
        say("uv could not: it is tried with pip")
    if not done and not with_pip(what):
        return "set-up   stopped: the lines above say why. `make` goes on from here once that is mended"
    for name, line in ACTIVATE.items():
        file = VENV / "bin" / name
        if file.exists() and line not in file.read_text():
            file.write_text(file.read_text() + line)
    say(f"done in {time.time() - started:.0f} s")
    return None


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parent)
    sys.exit(main())
