"""`python -m benchmarks.ticks`: see the package."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from benchmarks.ticks.report import markdown

ROOT = Path(__file__).parents[2]

WORKSPACE = """
load_from:
  - python_module: {module_name: benchmarks.ticks.definitions, location_name: lcw_assets}
"""
# The product's settings, and threads: a tick that waits within its minute must not keep the others from theirs.
THREADS = "\nschedules:\n  use_threads: true\n  num_workers: 16\n"


@contextmanager
def server(minutes: int, beat_s: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.ticks.server", str(minutes), str(beat_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise ValueError("the server's standard input and output are not piped")
        yield process.stdout.readline().strip()
        process.stdin.close()


@contextmanager
def dagster_dev(home: Path, address: str, beat_s: int) -> Iterator[subprocess.Popen[bytes]]:
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text() + THREADS)
    (home / "workspace.yaml").write_text(WORKSPACE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LCW_", "KUCOIN_", "DAGSTER_"))}
    environment = {
        **kept,
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        **dict.fromkeys(("DAGSTER_GRPC_MAX_WORKERS", "DAGSTER_CODE_SERVER_MAX_WORKERS"), "32"),
        "BENCHMARK_BEAT_S": str(beat_s),
        "LCW_BASE_URL": address,
        "KUCOIN_FUTURES_BASE_URL": address,
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    dagster = [sys.executable, "-m", "dagster"]
    # Its copies take its place: see `definitions`.
    for command in (["instance", "info"], ["schedule", "stop", "token_registry_sync"]):
        subprocess.run([*dagster, *command], cwd=home, env=environment, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dev = [*dagster, "dev", "-h", "127.0.0.1", "-p", str(port)]
    with (home / "dagster.log").open("wb") as log:
        process = subprocess.Popen(dev, cwd=home, env=environment, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()  # a shell in the background has its children ignore SIGINT
            process.wait(timeout=120)


def wait_for(cycles: int, home: Path, process: subprocess.Popen[bytes]) -> None:
    """Dagster's own record is read meanwhile: whoever opens the database keeps a cycle waiting."""
    os.chdir(home)
    ended = dg.RunsFilter(job_name="fetch_cycle", statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE])
    with dg.DagsterInstance.from_config(str(home)) as instance:
        said, began = 0, time.monotonic()
        while (done := instance.get_runs_count(ended)) < cycles:
            if process.poll() is not None or (not done and time.monotonic() - began > 300):
                sys.exit(f"dagster dev runs no cycle: {(home / 'dagster.log').read_text()[-3000:]}")
            if done >= said + 20:
                said = done
                print(f"{done} of {cycles} cycles, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
            time.sleep(5)


def main() -> None:
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    beat_s = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    if beat_s < 10 or 60 % beat_s:
        sys.exit(f"a beat of {beat_s} s: expected one of 10, 12, 15, 20, 30, 60")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        # Ticks that are skipped while a slow cycle runs move the market as well.
        with server(cycles * 3 // 2, beat_s) as address, dagster_dev(home, address, beat_s) as process:
            wait_for(cycles, home, process)
        if len(sys.argv) > 3:
            shutil.copytree(home, sys.argv[3], dirs_exist_ok=True)
        print(markdown(home / "data" / "demo.duckdb", beat_s))


if __name__ == "__main__":
    main()
