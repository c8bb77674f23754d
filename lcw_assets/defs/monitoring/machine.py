"""How busy the machine was while a cycle ran, and whether that is a likely cause of its slowness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lcw_assets.rounding import digits, percent

# From here on something has to wait: for a processor, or for memory that is written to disk.
_BUSY_CPU, _BUSY_LOAD, _FULL_MEMORY = 0.9, 2.0, 0.95

# What is beyond the usual by so much is more than the machine's everyday.
_MORE_CPU, _MORE_LOAD, _MORE_MEMORY = 0.1, 1.0, 0.03


@dataclass(frozen=True)
class Machine:
    """Over a cycle's time: shares of the CPU and the memory in use, and processes that wanted one of the `processors`.

    Null where the system does not tell. As what is usual: the medians of a window's cycles.
    """

    cpu: float | None = None
    processors: float | None = None
    load: float | None = None
    memory: float | None = None

    @property
    def load_each(self) -> float | None:
        return self.load / self.processors if self.load is not None and self.processors else None


@dataclass(frozen=True)
class Pressure:
    """That a machine was busy, in words with the numbers, and whether it was busier than it usually is."""

    said: str
    unusual: bool


def pressure(machine: Machine, usual: Machine) -> Pressure | None:
    """Null if the machine had enough of everything. Where nothing is known of the usual, busy is unusual."""
    found = list(_found(machine, usual))
    if not found:
        return None
    return Pressure("; ".join(said for said, _ in found), any(unusual for _, unusual in found))


def _found(machine: Machine, usual: Machine) -> Iterator[tuple[str, bool]]:
    def load(of: Machine) -> Callable[[float], str]:
        return lambda _: f"{digits(of.load or 0.0)} on {round(of.processors or 0)} processors"

    for name, value, least, normal, more, say, say_usual in (
        ("CPU in use", machine.cpu, _BUSY_CPU, usual.cpu, _MORE_CPU, percent, percent),
        ("load", machine.load_each, _BUSY_LOAD, usual.load_each, _MORE_LOAD, load(machine), load(usual)),
        ("memory in use", machine.memory, _FULL_MEMORY, usual.memory, _MORE_MEMORY, percent, percent),
    ):
        if value is not None and value >= least:
            usually = "" if normal is None else f", usually {say_usual(normal)}"
            yield f"{name} {say(value)}{usually}", normal is None or value >= normal + more
