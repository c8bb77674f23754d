"""Which providers there are, and which of them a path belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

import lcw_assets.simulator as package
from lcw_assets.simulator.faults import PROFILES, Profile
from lcw_assets.simulator.provider import Provider


def discover() -> list[Provider]:
    """Every `PROVIDER` in a module of this package, by name. Raises `ValueError` if two declare the same."""
    modules = [
        import_module(f"{package.__name__}.{found.name}")
        for found in iter_modules(package.__path__)
        if found.name != "__main__"
    ]
    providers: list[Provider] = [module.PROVIDER for module in modules if hasattr(module, "PROVIDER")]
    for what, declared in {
        "path": [path for one in providers for path in (one.name, *one.roots)],
        "option": [option.name for one in providers for option in one.options],
        "profile": [*PROFILES, *(name for one in providers for name in one.profiles)],
    }.items():
        twice = [name for name, times in Counter(declared).items() if times > 1]
        if twice:
            raise ValueError(f"two providers of the simulator declare the {what} {twice[0]!r}: rename one of them")
    return sorted(providers, key=lambda provider: provider.name)


def profiles(providers: Sequence[Provider]) -> dict[str, Profile]:
    """The general ones and the providers' own."""
    return {**PROFILES, **{name: profile for one in providers for name, profile in one.profiles.items()}}


def route(providers: Sequence[Provider], path: str) -> tuple[Provider, str] | None:
    """The provider of a path, and the path within it: by name, or by the longest root."""
    name, _, rest = path.partition("/")
    named = next((one for one in providers if one.name == name), None)
    if named:
        return named, rest
    rooted = [(root, one) for one in providers for root in one.roots if f"{path}/".startswith(f"{root}/")]
    return (max(rooted, key=lambda found: len(found[0]))[1], path) if rooted else None
