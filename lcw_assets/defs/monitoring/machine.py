"""How busy the machine was while a cycle ran, and whether that is a likely cause of its slowness."""

from __future__ import annotations

from dataclasses import dataclass

from lcw_assets.rounding import digits, percent

# By resource: the value from which work has to wait (for a processor, or for memory that is written to disk), and how
# much over its usual value is unusual.
_LIMITS = {"cpu": (0.9, 0.1), "load_each": (2.0, 1.0), "memory": (0.95, 0.03)}
_NAMES = {"cpu": "CPU in use", "load_each": "load", "memory": "memory in use"}


@dataclass(frozen=True)
class Machine:
    """Over a cycle's time: shares of the CPU and the memory in use, and processes that wanted one of the `processors`.

    Null if the system has no such number. The usual values are the medians of a window's cycles.
    """

    cpu: float | None = None
    processors: float | None = None
    load: float | None = None
    memory: float | None = None

    @property
    def load_each(self) -> float | None:
        return self.load / self.processors if self.load is not None and self.processors else None

    def reading(self, name: str) -> str:
        """Such as `98.3 %`, `12.3 on 2 processors`."""
        if name == "load_each":
            return f"{digits(self.load or 0.0)} on {round(self.processors or 0)} processors"
        return percent(getattr(self, name))


@dataclass(frozen=True)
class Pressure:
    """That a machine had too little of the resources in `short`, and whether that was `unusual`."""

    machine: Machine
    usual: Machine
    short: tuple[str, ...]
    unusual: bool

    def __str__(self) -> str:
        """Such as `CPU in use 98.3 %, usually 35.0 %`."""
        return "; ".join(f"{_NAMES[name]} {self.machine.reading(name)}{self._usually(name)}" for name in self.short)

    def _usually(self, name: str) -> str:
        return "" if getattr(self.usual, name) is None else f", usually {self.usual.reading(name)}"


def pressure(machine: Machine, usual: Machine) -> Pressure | None:
    """Null if the machine had enough of everything. If the usual values are unknown, busy is unusual."""
    short = tuple(name for name, (least, _) in _LIMITS.items() if (getattr(machine, name) or 0.0) >= least)
    if not short:
        return None
    excess = {name: getattr(machine, name) - (getattr(usual, name) or float("-inf")) for name in short}
    return Pressure(machine, usual, short, any(excess[name] >= _LIMITS[name][1] for name in short))
