"""Runs a task in one child process after the other, and kills them when it is told to.

Children are forked from here, with everything imported: this way every kill falls into the task itself. A line on
standard input begins a child, with the variables that it is to have in its environment (`NAME=VALUE`, with tabs in
between); `kill` kills it, if it is still there. When it has ended, `ended` is printed.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_BEGIN, _KILL, _ENDED = "begin", "kill", "ended"


def raise_children(task: Callable[[], object]) -> None:
    with open(0, "rb", buffering=0, closefd=False) as told:
        for line in iter(told.readline, b""):
            word, *variables = line.decode().rstrip("\n").split("\t")
            if word != _BEGIN:
                continue  # to kill one that had ended by then
            child = os.fork()
            if child == 0:
                os.environ |= dict(variable.split("=", 1) for variable in variables)
                task()
                os._exit(0)
            # It is not reaped before it has ended, so its id is nobody else's.
            while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                if select.select([told], [], [], 0.001)[0]:
                    told.readline()
                    os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            print(_ENDED, flush=True)  # noqa: T201 - this is what the test waits for


class ChildProcesses:
    """The test's side of it."""

    def __init__(self, said: IO[str], heard: IO[str]) -> None:
        self._said, self._heard = said, heard

    def begin(self, **variables: str) -> None:
        self._say("\t".join([_BEGIN, *(f"{name}={value}" for name, value in variables.items())]))

    def kill(self) -> None:
        self._say(_KILL)

    def wait(self) -> None:
        """Until the child has ended."""
        assert self._heard.readline() == f"{_ENDED}\n"

    def has_ended(self) -> bool:
        """Without waiting. `wait` is still to be called."""
        return bool(select.select([self._heard], [], [], 0)[0])

    def _say(self, line: str) -> None:
        self._said.write(f"{line}\n")
        self._said.flush()


@contextmanager
def child_processes(module: str, *arguments: str, log: Path) -> Iterator[ChildProcesses]:
    """`module` calls `raise_children`. What its children say on a terminal is in `log`."""
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        ) as process,
    ):
        assert process.stdin and process.stdout
        yield ChildProcesses(process.stdin, process.stdout)
        process.stdin.close()
