"""From entries of a response to records: a value that does not fit its model is lost, and not its record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from lcw_assets.sources.lenient_json import Unreadable

R = TypeVar("R")

# Entries of one response that are kept for one reason: more of a kind say nothing new. And characters of each.
_KEPT = 20
_EXCERPT = 2_000


@dataclass
class Refused:
    """What did not fit for one reason: the number of such entries, and the first of them as texts."""

    entries: int = 0
    texts: list[str] = field(default_factory=list)

    def add(self, text: str) -> None:
        self.entries += 1
        if len(self.texts) < _KEPT:
            whole = len(text) <= _EXCERPT
            self.texts.append(text if whole else f"{text[:_EXCERPT]}… ({len(text):,} characters)")


@dataclass(frozen=True)
class Refusal:
    """What was refused, in how many records, and one of them as JSON text."""

    reason: str
    records: int
    text: str

    def __str__(self) -> str:
        return self.reason if self.records == 1 else f"{self.reason} ({self.records} records; this is one)"


@dataclass(frozen=True)
class Fitted(Generic[R]):
    """An entry of a response: its index, and its record with null for each value that did not fit (`wrong`: reasons by
    name, such as `delta.day`). The record is null if it requires one of them.
    """

    place: int
    record: R | None
    wrong: Mapping[str, str]


def fit_all(
    model: TypeAdapter[R],
    entries: Sequence[Any],
    unreadable: Iterable[Unreadable],
    *,
    within: int = 0,
    clean: Callable[[Any], Any] = lambda entry: entry,
) -> tuple[list[Fitted[R]], dict[str, Refused]]:
    """Each entry as a record, without the values that do not fit, and these by reason. The entries are changed.

    The paths of `unreadable` values have `within` names before the index of the entry. `clean` prepares an entry.
    """
    lost: dict[int, tuple[dict[str, str], str]] = {}
    for one in unreadable:
        place, *names = one.path[within:]
        lost.setdefault(int(place), ({}, one.text))[0][".".join(map(str, names)) or "record"] = one.reason
    fitted: list[Fitted[R]] = []
    refused: dict[str, Refused] = {}
    for place, entry in enumerate(entries):
        known, sent = lost.get(place, ({}, ""))
        sent = sent or to_json(entry, inf_nan_mode="constants").decode()
        fitted.append(_fit(model, place, clean(entry), known))
        for name, reason in fitted[-1].wrong.items():
            refused.setdefault(f"{name}: {reason}", Refused()).add(sent)
    return fitted, refused


def _fit(model: TypeAdapter[R], place: int, entry: Any, unreadable: Mapping[str, str]) -> Fitted[R]:
    """What is `unreadable` is null in the entry already."""
    wrong = dict(unreadable)
    while True:
        try:
            return Fitted(place, model.validate_python(entry), wrong)
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False, include_context=False)
        found: dict[str, str] = {}
        for problem in problems:
            name = _set_null(entry, problem["loc"])
            if name is None or name in wrong:
                return Fitted(place, None, wrong or {"record": problem["msg"]})
            if problem["type"] == "missing":
                return Fitted(place, None, {**wrong, **found, name: problem["msg"]})
            found.setdefault(name, problem["msg"])
        wrong |= found


def _set_null(entry: Any, path: tuple[str | int, ...]) -> str | None:
    """Set a value to null, or the list that it stands in. Returns its name; null if it is the whole entry."""
    if not isinstance(entry, dict) or not path:
        return None
    inner, names = entry, [str(path[0])]
    while len(names) < len(path) and isinstance(inner.get(names[-1]), dict):
        inner = inner[names[-1]]
        names.append(str(path[len(names)]))
    inner[names[-1]] = None
    return ".".join(names)
