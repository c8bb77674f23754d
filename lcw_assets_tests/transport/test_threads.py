from __future__ import annotations

import threading
import time

import pytest

from lcw_assets.transport.threads import bounded, fan_out
from lcw_assets_tests.patience import PATIENCE_S


def test_bounded_gives_what_the_work_gives_and_raises_what_it_raises() -> None:
    assert bounded(lambda: 7, PATIENCE_S) == 7
    with pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 // 0, PATIENCE_S)


def test_bounded_leaves_late_work_behind() -> None:
    release = threading.Event()
    with pytest.raises(TimeoutError):
        bounded(release.wait, 0.05)
    release.set()


def test_fan_out_runs_all_tasks_on_so_many_threads() -> None:
    seen: set[int] = set()

    def task() -> int:
        seen.add(threading.get_ident())
        time.sleep(0.01)
        return threading.get_ident()

    results = {index: result() for index, result in fan_out([task] * 20, 3)}
    assert sorted(results) == list(range(20))
    assert len(seen) <= 3


def test_fan_out_hands_on_errors_without_stopping() -> None:
    outcomes = []
    for index, result in fan_out([lambda: 1, lambda: 1 // 0, lambda: 3], 2):
        try:
            outcomes.append((index, result()))
        except ZeroDivisionError:
            outcomes.append((index, -1))
    assert sorted(outcomes) == [(0, 1), (1, -1), (2, 3)]


def test_whoever_stops_listening_starts_no_further_task() -> None:
    started: list[int] = []
    go_on = threading.Event()

    def task() -> None:
        started.append(1)
        if len(started) > 1:
            go_on.wait(PATIENCE_S)

    for _ in fan_out([task] * 50, 2):
        break
    go_on.set()
    time.sleep(0.1)  # for who would start another one
    assert len(started) <= 3  # two at once, and one in the place of the first
