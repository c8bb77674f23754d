"""What a load declares. From this it gets its assets, job, schedule, checks and facts; see `factory.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lcw_assets.settings import Settings
from lcw_assets.sources.spec import Group, Source, require_class
from lcw_assets.warehouse.schema import tables

# As `Table.fresh_by`: no column says when the source last confirmed a row, and `Hooks.confirmed_at` finds it out.
BY_HOOKS = "(hooks)"


STANDARD_CHECKS = {"keys_unique", "values_in_range", "fresh", "complete", "load_time", "failure_rate"}


class DeclarationError(ValueError):
    """A declaration that lacks something, or names something that does not exist. Says what, and what was expected."""


def _place() -> tuple[str, int]:
    """The file and line of the declaration that is being made."""
    frame = sys._getframe(2)  # noqa: SLF001 - this function, the generated __init__, and who calls it
    return frame.f_code.co_filename, frame.f_lineno


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table that a load writes, and what is checked of it.

    `key` is that of its asset, and of those in `deps`. No two rows have the same values in `unique`, no value in
    `not_negative` is below zero, and `fresh_by` is the column that says when a row was last confirmed, or `BY_HOOKS`.
    """

    key: str
    description: str
    deps: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()
    not_negative: tuple[str, ...] = ()
    fresh_by: str | None = None
    place: tuple[str, int] = field(default_factory=_place, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.key.replace("/", ".")

    @property
    def fresh_columns(self) -> tuple[str, ...]:
        return () if self.fresh_by in (None, BY_HOOKS) else (str(self.fresh_by),)

    @property
    def is_scanned(self) -> bool:
        """Is anything checked besides its number of rows?"""
        return bool(self.unique or self.not_negative or self.fresh_columns)


@dataclass(frozen=True)
class Check:
    """A check that only this concept has: its name, the key of its asset, and what is true when it passes."""

    name: str
    asset: str
    description: str


@dataclass(frozen=True, kw_only=True)
class LoadDeclaration:
    """A load that a schedule starts.

    `job` is its name everywhere, `step` begins its lines in a terminal, `raw` describes the raw assets by part. `facts`
    is the table or view that has a row a load. `hooks` is the class with what only this load does, as `module:Class`;
    it is imported by a run alone.

    Seconds count from the tick: fetching stops after `deadline_s` (a number, or a function of the settings), Dagster
    ends the run after `max_runtime_s`, `load_time_s` and `stale_after_s` are the limits of the checks `load_time` and
    `fresh`. `failures_under` limits the share of failed loads in the last hour. A check whose limit is null does not
    exist.

    A load of a `Group` calls several sources, and none of them ends the calls of the others. With `prepares`, the hooks
    read tables before they plan (`Hooks.prepare`).

    With `adapts`, time-outs, hedges, calls in flight and the breaker follow the facts of the source. With `resources`,
    the load of the machine is stored in `ops.resources`. `check_names` renames standard checks.
    """

    job: str
    step: str
    source: Source | Group
    description: str
    raw: Mapping[str, str]
    tables: tuple[Table, ...]
    hooks: str
    facts: Table | None = None
    schedule: str = ""
    cron: str = "* * * * *"
    id_name: str = "load_id"
    deadline_s: float | str = 30.0
    max_runtime_s: int = 60
    priority: int = 0
    stale_after_s: float = 180.0
    load_time_s: float | None = 10.0
    failures_under: float | None = 0.05
    prepares: bool = False
    adapts: bool = False
    resources: bool = False
    checks: tuple[Check, ...] = ()
    check_names: Mapping[str, str] = field(default_factory=dict)
    place: tuple[str, int] = field(default_factory=_place, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises `DeclarationError` with the first fault."""
        for fault in self._faults():
            raise DeclarationError(f"the load {self.job} {fault}")

    def _faults(self) -> Iterator[str]:
        source: object = self.source
        if not isinstance(source, Source | Group):
            yield f"has source={source!r}: expected a Source, such as the SOURCE of its spec.py, or a Group of them"
        if not self.raw or not self.tables:
            yield f"declares no {'table' if self.raw else 'raw asset'}"
        known = {name: {column.name: column.type for column in columns} for name, columns in tables().items()}
        for table in self.stored:
            if table.name not in known:
                yield f"writes {table.name}, which no file of warehouse/sql/ makes"
            for name in ("deps", "unique", "not_negative"):
                if isinstance(getattr(table, name), str):
                    yield f"has {name}={getattr(table, name)!r} for {table.name}: expected a tuple of texts"
            for column in (*table.unique, *table.not_negative, *table.fresh_columns):
                if column not in known[table.name]:
                    yield f"checks {table.name}.{column}: there is no such column"
            for column in table.fresh_columns:
                if known[table.name][column] != "TIMESTAMPTZ":
                    yield f"has fresh_by={column!r} for {table.name}: expected a column of moments (TIMESTAMPTZ)"
            for dep in table.deps:
                if dep.startswith("raw/") and dep.removeprefix("raw/") not in self.raw:
                    yield f"has deps={dep!r} for {table.name}: expected one of {', '.join(self.raw)} behind raw/"
        for one in [self.source] if isinstance(self.source, Source) else self.source.sources.values():
            watched, column = one.watch
            if column not in known.get(watched, {}):
                yield f"is of {one.title}, which has watch={watched}.{column}: there is no such column"
        try:
            require_class(self.hooks, methods=("plan", "store"))
        except ValueError as error:
            yield f"has hooks={self.hooks!r}: {error}: expected module:Class of this project"
        if isinstance(self.deadline_s, str) and self.deadline_s not in {*Settings.model_fields, *dir(Settings)}:
            yield f"has deadline_s={self.deadline_s!r}: expected seconds, or the name of a setting"
        for name in ("max_runtime_s", "priority", "stale_after_s"):
            if not isinstance(getattr(self, name), int | float):
                yield f"has {name}={getattr(self, name)!r}: expected a number"
        for wrong in self.check_names.keys() - STANDARD_CHECKS:
            yield f"has check_names of {wrong!r}: expected one of {', '.join(sorted(STANDARD_CHECKS))}"
        keys = {*(f"raw/{part}" for part in self.raw), *(table.key for table in self.stored)}
        for check in self.checks:
            if not isinstance(check, Check) or check.asset not in keys:
                yield f"has the check {check!r}: expected a Check of one of its assets"

    @property
    def stored(self) -> tuple[Table, ...]:
        """Every table that a load brings up to date, that of its facts as the last."""
        return (*self.tables, *((self.facts,) if self.facts else ()))

    @property
    def facts_key(self) -> str:
        """The asset that checks of the load itself belong to."""
        return self.stored[-1].key

    def standard_checks(self) -> list[Check]:
        found = []
        for table in self.tables:
            if table.unique:
                found.append(
                    Check("keys_unique", table.key, f"No two rows have the same {' and '.join(table.unique)}.")
                )
            if table.not_negative:
                found.append(
                    Check("values_in_range", table.key, f"None is below zero: {', '.join(table.not_negative)}.")
                )
            if table.fresh_by:
                text = f"The source confirmed a row within the last {self.stale_after_s:g} s, changed or not."
                found.append(Check("fresh", table.key, text))
        found.append(Check("complete", self.facts_key, "Every call was answered, and all of it could be used."))
        if self.load_time_s is not None:
            found.append(
                Check("load_time", self.facts_key, f"From tick to commit it took at most {self.load_time_s:g} s.")
            )
        if self.failures_under is not None:
            text = f"Under {100 * self.failures_under:g} % of the last hour's loads failed."
            found.append(Check("failure_rate", self.facts_key, text))
        return [Check(self.check_names.get(one.name, one.name), one.asset, one.description) for one in found]
