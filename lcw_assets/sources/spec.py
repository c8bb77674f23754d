"""What a source declares in its `spec.py`. Every folder beside this file is a source; no list names them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, ValidationInfo, field_validator

import lcw_assets.sources as package
from lcw_assets.coordination.rate_limit import Rate

# Folders and files are named after sources. What belongs to one has a hyphen: `lcw-history`, `lcw-credits`.
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
_DemoName = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9_]*|[a-z][a-z0-9_]*-simulator)$")]
_Prefix = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$")]
_Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
_Table = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")]


class SourceError(ValueError):
    """A declaration is wrong. One line that names the file, the field, and what is expected."""


class Source(BaseModel):
    """A provider of data, for the rest of the project. Each description says what is expected."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: _Name = Field(description="the `source` of live rows and the name of its spool folder, such as 'lcw'")
    title: str = Field(min_length=1, description="its name for people, such as 'Live Coin Watch'")
    variables: _Prefix = Field(description="the prefix of its environment variables, such as 'LCW'")
    base_url: str = Field(
        pattern=r"^https?://[^\s/@?#]+(/[^\s@?#]*[^\s@?#/])?$", description="its address, such as 'https://host'"
    )
    needs_key: bool = Field(description="True if it is off without <PREFIX>_API_KEY, else False")
    key_header: str | None = Field(
        None, validate_default=True, description="the HTTP header that carries the key, if it needs one"
    )
    key_hint: str = Field("", description="what a key looks like and where to get one, for the error about a short one")
    demo_name: _DemoName = Field(
        default_factory=lambda data: f"{data.get('name')}-simulator",
        description="the `source` of simulated rows, such as 'lcw-simulator'",
    )
    rate: Rate = Field(description="Rate(per_s=, burst=, reserve=): above 0, at least 1, and from 0 to below burst")
    adjustable_rate: bool = Field(False, description="True if <PREFIX>_CALLS_PER_S and <PREFIX>_BURST are settings")
    largest_body: int = Field(1_000_000, gt=0, description="bytes that a response may have, above 0")
    call_s: float = Field(15.0, gt=0, description="seconds that one request may take in all, above 0")
    simulator: str = Field(description="a module of lcw_assets/simulator/, such as 'kucoin_futures'")
    simulator_options: Mapping[str, Any] = Field({}, description="options of that module, such as {'contracts': 500}")
    client: str = Field(description="'module:Class', such as 'lcw_assets.sources.lcw.client:LiveCoinWatch'")
    client_settings: tuple[_Identifier, ...] = Field(
        (), description="names of settings that the client takes as keywords, such as ('currency',)"
    )
    call_cost: float = Field(0.0, ge=0, description="USD that a call costs, 0 for one that is free")
    group: _Name | None = Field(
        None, description="the sources that one load calls together with it, such as 'prices'; not set for one alone"
    )
    watch: tuple[_Table, _Identifier] = Field(
        description="the table and the column that say how old its data is, such as ('registry.tokens', 'last_seen')"
    )

    @field_validator("key_header")
    @classmethod
    def _with_its_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        if bool(value) != info.data.get("needs_key"):
            raise ValueError("it goes together with needs_key=True")
        return value

    @field_validator("rate")
    @classmethod
    def _a_rate(cls, value: Rate) -> Rate:
        if not (value.per_s > 0 and value.burst >= 1 and 0 <= value.reserve < value.burst):
            raise ValueError("out of range")
        return value

    @field_validator("simulator")
    @classmethod
    def _a_module(cls, value: str) -> str:
        found = find_spec(f"lcw_assets.simulator.{value}") if value.isidentifier() else None
        if not found or not found.origin:
            raise ValueError("there is no such module")
        if not re.search(r"^PROVIDER\b", Path(found.origin).read_text(), re.MULTILINE):
            raise ValueError("the module has no PROVIDER")
        return value

    @field_validator("client")
    @classmethod
    def _a_class(cls, value: str) -> str:
        require_class(value)
        return value

    def client_class(self) -> Any:
        """Imports it. It takes a `transport.client.Client`, `deadline`, `simulated` and the `client_settings`."""
        module, _, name = self.client.partition(":")
        return getattr(import_module(module), name)


@dataclass(frozen=True)
class Group:
    """The sources that declare the same `group`. One load calls them together, under this name; each keeps its own
    rate limit, address and name in facts.
    """

    name: str
    sources: Mapping[str, Source]

    @property
    def title(self) -> str:
        return f"{len(self.sources)} sources"

    @property
    def demo_name(self) -> str:
        return f"{self.name}-simulator"


def group(name: str) -> Group:
    """Raises `SourceError` if no source declares it."""
    found = {source.name: source for source in discover().values() if source.group == name}
    if not found:
        raise SourceError(f"no source has group={name!r}: expected at least one spec.py with it")
    return Group(name, found)


def loaded_together() -> Sequence[Source | Group]:
    """Every source that is called alone, and every group, by name."""
    found = discover().values()
    alone: list[Source | Group] = [source for source in found if source.group is None]
    groups = [group(name) for name in {source.group for source in found if source.group}]
    return sorted([*alone, *groups], key=lambda one: one.name)


def require_class(address: str, methods: Sequence[str] = ()) -> None:
    """Raises `ValueError` if there is no such `module:Class`, or one of its `methods` is missing.

    The file is read and not imported: loading definitions must not import HTTP clients.
    """
    module, _, name = address.partition(":")
    try:
        found = find_spec(module)
    except (ImportError, ValueError):
        found = None
    if not found or not found.origin or not name.isidentifier():
        raise ValueError("there is no such module")
    text = Path(found.origin).read_text()
    if not re.search(rf"^class {name}\b", text, re.MULTILINE):
        raise ValueError("the module has no such class")
    for method in methods:
        if not re.search(rf"^    def {method}\b", text, re.MULTILINE):
            raise ValueError(f"its class has no method {method}")


def discover() -> Mapping[str, Source]:
    """Every source by name, in order. Raises `SourceError`."""
    found: dict[str, tuple[Path, Source]] = {}
    for file in _files():
        source = _read(file)
        for other_file, other in found.values():
            for field in ("name", "demo_name", "variables"):
                value, taken = getattr(source, field), (other.name, other.demo_name, other.variables)
                if value in taken:
                    raise SourceError(f"{file}: {field}={value!r} is taken by {other_file}: expected one of its own")
        found[source.name] = file, source
    return {name: found[name][1] for name in sorted(found)}


def _files() -> Iterator[Path]:
    """Of each folder with code in it; a removed source may leave an empty one."""
    for folder in package.__path__:
        for path in sorted(Path(folder).iterdir()):
            if path.name.isidentifier() and path.is_dir() and any(path.glob("*.py")):
                yield path / "spec.py"


def _read(file: Path) -> Source:
    if not file.is_file():
        raise SourceError(f"{file} is missing: expected a file with SOURCE = Source(...)")
    try:
        module = import_module(f"{package.__name__}.{file.parent.name}.spec")
    except ValidationError as error:
        # A default that is made from another field says nothing where that one is wrong.
        problems = [one for one in error.errors() if one["type"] != "default_factory_not_called"]
        raise SourceError(f"{file}: " + "; ".join(map(_problem, problems))) from None
    except Exception as error:  # noqa: BLE001 - of a file that anybody may have written
        reason = " ".join(str(error).split())
        raise SourceError(f"{file}: {type(error).__name__}: {reason}: expected SOURCE = Source(...)") from None
    source = getattr(module, "SOURCE", None)
    if not isinstance(source, Source):
        raise SourceError(f"{file} has no SOURCE: expected SOURCE = Source(...)")
    return source


def _problem(problem: Any) -> str:
    """Such as `watch is missing: expected the table and the column ...`."""
    name = str(problem["loc"][0])
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(name, Source.model_fields, n=1, cutoff=0.5)
        expected = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(Source.model_fields)}"
        return f"there is no field {name}: {expected}"
    expected = f"expected {Source.model_fields[name].description}"
    if problem["type"] == "missing":
        return f"{name} is missing: {expected}"
    reason = str(problem.get("ctx", {}).get("error", problem["msg"]))
    return f"{name}={problem['input']!r}: {reason}: {expected}"
