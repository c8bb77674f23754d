"""Which sources a load calls, by their health: one probe for whoever is out, a named backup in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lcw_assets.defs.prices.health import Health

_CALLED = frozenset({"healthy", "degraded"})

# Reasons to be out that calling does not end: the source or the budget forbids it.
_PAUSED = frozenset({"banned", "over_budget"})


@dataclass(frozen=True)
class Choice:
    """`call` are the sources that vote, `probe` those that are called to see whether they are back, and whose quotes
    count like any other. `replaced` has, for each source that is not among `call`, the backup that is. `absent` are out
    and have no backup. `enough`: `call` alone can make a quorum.
    """

    call: tuple[str, ...]
    probe: tuple[str, ...]
    replaced: Mapping[str, str]
    absent: tuple[str, ...]
    enough: bool


def choose(sources: Sequence[str], backups: Mapping[str, str], healths: Mapping[str, Health], *, quorum: int) -> Choice:
    """In the order of `sources`. A backup that is called already or is out is no backup; then the
    backup's own backup is tried. A source without a health is called.

    Where too few for a quorum are left, whoever is absent is probed as well, unless it has requested the pause: it is
    rather our own network that is down than all of them, and when it is back there should be prices at once.
    """
    call = [name for name in sources if _is_called(name, healths)]
    probe = [name for name in sources if name in healths and healths[name].state == "probing"]
    replaced: dict[str, str] = {}
    absent = []
    for name in sources:
        if name in call:
            continue
        backup = _backup(name, backups, healths, set(call))
        if backup is not None:
            replaced[name] = backup
            call.append(backup)
        elif name not in probe:
            absent.append(name)
    if len(call) + len(probe) < quorum:
        probe += [name for name in absent if not _PAUSED.intersection(one.code for one in healths[name].reasons)]
        absent = [name for name in absent if name not in probe]
    return Choice(tuple(call), tuple(probe), replaced, tuple(absent), len(call) >= quorum)


def _backup(name: str, backups: Mapping[str, str], healths: Mapping[str, Health], taken: set[str]) -> str | None:
    seen = {name}
    backup = backups.get(name)
    while backup is not None and backup not in seen:
        if backup not in taken and _is_called(backup, healths):
            return backup
        seen.add(backup)
        backup = backups.get(backup)
    return None


def _is_called(name: str, healths: Mapping[str, Health]) -> bool:
    return name not in healths or healths[name].state in _CALLED
