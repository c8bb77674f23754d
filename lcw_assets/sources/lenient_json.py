"""Parses JSON with values that cannot be parsed: everything but those values.

A parser refuses the whole text for a single lone surrogate (`"Rocket \\ud83d"`, what a cut emoji becomes), a number of
thousands of digits, or nesting beyond its limit: it would lose a hundred coins for the name of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

# Levels that are split: an envelope, its list, an entry, a list in that. Each is scanned once more.
_DEEPEST = 4

_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(rf'{_STRING}|[\[\]{{}},"]', re.DOTALL)  # a quotation mark alone begins a string that has no end
_MEMBER = re.compile(rf"\s*({_STRING})\s*:(.*)", re.DOTALL)


@dataclass(frozen=True)
class Unreadable:
    """A value that cannot be parsed: its path, why, and the text of the list entry that has it (or its own)."""

    path: tuple[str | int, ...]
    reason: str
    text: str


def parse(text: str) -> tuple[Any, list[Unreadable]]:
    """The document, with null for each value that cannot be parsed. Raises `ValueError` for text that is not JSON
    at all, such as one that is cut off.
    """
    try:
        return from_json(text), []
    except ValueError as error:
        if not text.lstrip().startswith(("[", "{")):
            raise
        unreadable: list[Unreadable] = []
        document = _rebuilt(text, error, (), "", unreadable)
        if not unreadable:  # a comma too many, a bracket of the wrong kind
            raise
        return document, unreadable


def _rebuilt(
    text: str, error: ValueError, path: tuple[str | int, ...], entry: str, unreadable: list[Unreadable]
) -> Any:
    """The readable parts of a value that cannot be parsed as a whole."""
    text = text.strip()
    if len(path) < _DEEPEST and text.startswith("["):
        return [_value(item, (*path, place), entry or item, unreadable) for place, item in enumerate(_elements(text))]
    if len(path) < _DEEPEST and text.startswith("{"):
        members = {}
        for item in _elements(text):
            member = _MEMBER.fullmatch(item)
            if member is None:
                raise error
            try:
                name = str(from_json(member[1]))
            except ValueError as broken:
                unreadable.append(Unreadable(path, f"the name of a value: {_reason(broken)}", entry or item))
            else:
                members[name] = _value(member[2], (*path, name), entry, unreadable)
        return members
    unreadable.append(Unreadable(path, _reason(error), entry or text))
    return None


def _value(text: str, path: tuple[str | int, ...], entry: str, unreadable: list[Unreadable]) -> Any:
    try:
        return from_json(text)
    except ValueError as error:
        try:
            return _rebuilt(text, error, path, entry, unreadable)
        except ValueError:
            unreadable.append(Unreadable(path, _reason(error), entry or text))
            return None


def _elements(text: str) -> Iterator[str]:
    """The texts between the brackets and commas of a list or an object. Raises `ValueError` if it has no end."""
    depth, start = 0, 1
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign == '"':
            break
        if sign in "[{":
            depth += 1
        elif sign in "]}":
            depth -= 1
            if not depth:
                if token.end() < len(text):
                    break
                if text[start : token.start()].strip():
                    yield text[start : token.start()]
                return
        elif sign == "," and depth == 1:
            yield text[start : token.start()]
            start = token.end()
    raise ValueError("a bracket or a string has no end")


def _reason(error: ValueError) -> str:
    """`unexpected end of hex escape`, without the position, which is that in an excerpt."""
    return str(error).partition(" at line ")[0]
