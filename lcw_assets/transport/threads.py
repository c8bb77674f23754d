"""Work on daemon threads, so that a process ends when its work does, whatever a server still does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def bounded(work: Callable[[], T], seconds: float) -> T:
    """Run `work` on a daemon thread and return its result, or raise what it raised, or `TimeoutError`.

    The only bound that holds against every server: a read time-out starts again with each byte,
    and a name lookup has none. A late thread is abandoned; it cannot keep the process alive.
    """
    box: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()
    threading.Thread(target=_run_into, args=(work, box), daemon=True).start()
    try:
        result = box.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    return result()


def fan_out(tasks: Iterable[Callable[[], T]], width: int) -> Iterator[tuple[int, Callable[[], T]]]:
    """Run `tasks` on `width` daemon threads; yield `(index, result)` as each ends, in the order of ending.

    `result()` returns the value or raises what the task raised. A task is taken from `tasks` when a thread is free; an
    error in that is raised here. When the caller stops iterating, tasks that have not started never start.
    (ThreadPoolExecutor would join its threads at exit.)
    """
    todo = iter(enumerate(tasks))
    lock = threading.Lock()
    done: queue.SimpleQueue[tuple[int, Callable[[], T]] | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()

    def worker() -> None:
        while not stop.is_set():
            try:
                with lock:
                    index, task = next(todo, (-1, None))
            except BaseException as error:  # noqa: BLE001 - not swallowed: raised again in the thread that waits
                done.put(error)
                return
            if task is None:
                break
            box: queue.SimpleQueue[Callable[[], T]] = queue.SimpleQueue()
            _run_into(task, box)
            done.put((index, box.get()))
        done.put(None)

    for _ in range(width):
        threading.Thread(target=worker, daemon=True).start()
    working = width
    try:
        while working:
            ended = done.get()
            if isinstance(ended, BaseException):
                raise ended
            if ended is None:
                working -= 1
            else:
                yield ended
    finally:
        stop.set()


def _run_into(work: Callable[[], T], box: queue.SimpleQueue[Callable[[], T]]) -> None:
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - not swallowed: raised again in the thread that waits
        raised = error

        def fail() -> T:
            raise raised

        box.put(fail)
    else:
        box.put(lambda: value)
