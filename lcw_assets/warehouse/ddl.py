"""The tables that migrations define: read from their SQL, strictly, without a database.

Only these files name columns, types, nullability and meanings: merges, the UI and the tests read them from here, in
servers that must not import DuckDB. So SQL that is not understood raises: a column that was dropped silently would be
null in every row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path


class SchemaError(ValueError):
    """A migration has SQL that is not understood. Names the file and the line."""


@dataclass(frozen=True)
class Column:
    """`default` is SQL, and null if there is none."""

    name: str
    type: str
    description: str
    required: bool
    default: str | None = None


Tables = dict[str, tuple[Column, ...]]

_NAME = r"[a-z_][a-z0-9_]*"
_TABLE = rf"({_NAME}\.{_NAME})"
_TYPES = r"VARCHAR|DOUBLE|BIGINT|INTEGER|BOOLEAN|TIMESTAMPTZ|DATE|JSON|BLOB|DECIMAL\(\d+,\s*\d+\)"
_DEFAULT = r"\[[^\]]*\]|'(?:[^']|'')*'|[\w.+-]+(?:\(\))?"
_DEFINITION = rf"({_NAME}) +((?:{_TYPES})(?:\[\])?)( NOT NULL)?(?: DEFAULT ({_DEFAULT}))?"

# A statement ends with its semicolon and the comment after it on that line.
_STATEMENT = re.compile(r"(?:--[^\n]*|'(?:[^']|'')*'|[^;'-]|-(?!-))*;(?: *--[^\n]*)?")
_COMMENT = re.compile(r"--[^\n]*")

_CREATE = re.compile(rf"CREATE TABLE (?:IF NOT EXISTS )?{_TABLE} \(\n(.*)\n\);", re.DOTALL)
_COLUMN = re.compile(rf" *{_DEFINITION},? *-- (.+)")
_ADD = re.compile(rf"ALTER TABLE {_TABLE} ADD COLUMN (?:IF NOT EXISTS )?{_DEFINITION}; *-- (.+)")
_DROP_COLUMN = re.compile(rf"ALTER TABLE {_TABLE} DROP COLUMN ({_NAME});")
_RENAME_COLUMN = re.compile(rf"ALTER TABLE {_TABLE} RENAME COLUMN ({_NAME}) TO ({_NAME});")
_DESCRIBE = re.compile(rf"COMMENT ON COLUMN {_TABLE}\.({_NAME}) IS '((?:[^']|'')*)';")
_RENAME = re.compile(rf"ALTER TABLE {_TABLE} RENAME TO ({_NAME});")
_DROP = re.compile(rf"DROP TABLE (?:IF EXISTS )?{_TABLE};")
_VIEW = re.compile(rf"CREATE (?:OR REPLACE )?VIEW {_TABLE} AS\b.*", re.DOTALL)
# These change no table.
_OTHER = re.compile(
    r"(CREATE SCHEMA|CREATE (OR REPLACE )?(VIEW|MACRO)|DROP (VIEW|MACRO)|INSERT INTO|UPDATE|DELETE FROM)\b"
)


def read_tables(migrations: Iterable[Path]) -> Tables:
    """Every table after these migrations, with its columns in order. Raises `SchemaError`.

    A view that replaces a table has its columns.
    """
    tables: Tables = {}
    dropped: Tables = {}
    for file in migrations:
        for line, statement in _statements(file):
            if gone := _DROP.fullmatch(statement):
                dropped[gone[1]] = tables.pop(gone[1], ())
            elif (view := _VIEW.fullmatch(statement)) and view[1] in dropped:
                tables[view[1]] = dropped.pop(view[1])
            elif not _apply(statement, tables):
                raise SchemaError(f"{file}, line {line}: not understood: {statement.splitlines()[0]}")
    return tables


def digest(file: Path) -> str:
    """A digest of a migration's SQL without comments and blanks: released SQL must not change, its comments may."""
    sql = " ".join(_COMMENT.sub(" ", file.read_text()).split())
    return sha256(sql.encode()).hexdigest()


def _statements(file: Path) -> Iterator[tuple[int, str]]:
    """Each statement without the comments before it, and the line of its beginning."""
    text, place = file.read_text(), 0
    for found in _STATEMENT.finditer(text):
        if text[place : found.start()].strip():
            break
        statement = re.sub(r"\A(?:\s+|--[^\n]*\n)*", "", found[0])
        place = found.end()
        yield text.count("\n", 0, place - len(statement)) + 1, statement
    rest = re.sub(r"\A(?:\s+|--[^\n]*(?:\n|\Z))*", "", text[place:])
    if rest:
        line = text.count("\n", 0, len(text) - len(rest)) + 1
        raise SchemaError(f"{file}, line {line}: no end of a statement: {rest.splitlines()[0]}")


def _apply(statement: str, tables: Tables) -> bool:
    """Change `tables` as the statement does. False if it is not understood."""
    if made := _CREATE.fullmatch(statement):
        lines = [line for line in made[2].splitlines() if not _COMMENT.fullmatch(line.strip())]
        columns = [_COLUMN.fullmatch(line) for line in lines]
        tables[made[1]] = tuple(_column(*column.groups()) for column in columns if column)
        return bool(columns) and all(columns)
    if added := _ADD.fullmatch(statement):
        tables[added[1]] += (_column(*added.groups()[1:]),)
    elif dropped := _DROP_COLUMN.fullmatch(statement):
        tables[dropped[1]] = tuple(column for column in tables[dropped[1]] if column.name != dropped[2])
    elif renamed := _RENAME_COLUMN.fullmatch(statement):
        tables[renamed[1]] = tuple(
            replace(column, name=renamed[3]) if column.name == renamed[2] else column for column in tables[renamed[1]]
        )
    elif (said := _DESCRIBE.fullmatch(statement)) and said[2] in (one.name for one in tables.get(said[1], ())):
        text = said[3].replace("''", "'")
        tables[said[1]] = tuple(
            replace(column, description=text) if column.name == said[2] else column for column in tables[said[1]]
        )
    elif moved := _RENAME.fullmatch(statement):
        tables[f"{moved[1].partition('.')[0]}.{moved[2]}"] = tables.pop(moved[1])
    else:
        return bool(_OTHER.match(statement))
    return True


def _column(name: str, type_: str, required: str | None, default: str | None, description: str) -> Column:
    return Column(name, re.sub(r"\s", "", type_), description.strip(), bool(required), default)
