"""A pytest plugin for `.ci/dates`: before each test the wall clock is set to `LCW_TEST_MOMENT`, and goes on."""

from __future__ import annotations

import ctypes
import os
import tempfile
import time
from datetime import datetime

import pytest

_MOMENT_NS = round(datetime.fromisoformat(os.environ["LCW_TEST_MOMENT"]).timestamp() * 1e9)


class _Clock:
    """Each process that runs tests has a clock of its own, which the processes that it starts share."""

    def __init__(self) -> None:
        self._file, name = tempfile.mkstemp(prefix="clock-")
        self._shift_ns = 0
        self._write()
        os.environ["CLOCK_SHIFT"] = name
        ctypes.CDLL(None).clock_shift_file(name.encode())

    def set(self, moment_ns: int) -> None:
        self._shift_ns += moment_ns - time.time_ns()
        self._write()

    def _write(self) -> None:
        os.pwrite(self._file, self._shift_ns.to_bytes(8, "little", signed=True), 0)


_CLOCK = _Clock()
_CLOCK.set(_MOMENT_NS)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    group = item.get_closest_marker("xdist_group")
    if group is None or group not in _BEGUN:
        _CLOCK.set(_MOMENT_NS)
    if group is not None:
        _BEGUN.append(group)  # its tests share servers, for which time must not go back


_BEGUN: list[pytest.Mark] = []
