"""Escapes foreign text where it is shown: symbols, codes, names, messages of servers and exceptions.

A name that somebody chooses on an exchange is shown in alerts, on a terminal and in Dagster's UI. Tables keep values as
they came; these functions are used when a person sees them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

# Nothing in such a text is Markdown. (`__META` may begin an emphasis, `cycle_time` may not; an address
# becomes a link by itself, which no backslash prevents.)
_NO_MARKDOWN = re.compile(r"(?!.*(?:://|www\.))(?:[^\W_]|[ ,;()%+$'=?/.:-]|(?<=[^\W_])_(?=[^\W_]))*", re.DOTALL)

# Mentions, tags and links in chats: `@everyone`, `<!channel>`, `<users/all>`, `[x](https://y)`.
_BEGINS_CHAT_MARKUP = re.compile(r"(?<=[@<\]])")
_INVISIBLE = "\u200b"

_SOME = 10


def line(text: object, most: int = 1000) -> str:
    """One line: control characters, line breaks and invisible marks become `\\x1b`, `\\n`, `\\u202e`.

    Cut after `most` characters.
    """
    said = str(text)
    cut = said[:most] + ("…" if len(said) > most else "")
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in cut)


def lines(text: object) -> str:
    """Text whose line breaks are its own, such as a traceback. No line after the first looks like one of a log."""
    return "\n    ".join(line(part, 10_000) for part in str(text).splitlines())


def name(text: object) -> str:
    """A symbol or code among others. In quotes if it contains a separator, so that one cannot look like two."""
    said = line(text, 64)
    return said if said and not re.search(r'[\s,;:"]', said) else '"' + said.replace('"', '\\"') + '"'


def some(texts: Sequence[object], say: Callable[[object], str] = name) -> str:
    """The first ten, and how many more there are."""
    first = ", ".join(map(say, texts[:_SOME]))
    return f"{first} and {len(texts) - _SOME} more" if len(texts) > _SOME else first


def markdown(text: object) -> str:
    """Text within a line of Markdown: as it is, or as code if it has Markdown."""
    said = line(text)
    if _NO_MARKDOWN.fullmatch(said):
        return said
    fence = "`" * (1 + max(map(len, re.findall("`+", said)), default=0))
    pad = " " if said.startswith(("`", " ")) or said.endswith(("`", " ")) else ""
    return fence + pad + said + pad + fence


def cell(text: object) -> str:
    """The same within a cell of a Markdown table, which a `|` ends unless an odd number of `\\` is before it."""
    return re.sub(r"(\\*)\|", lambda end: end[1] + "\\" * (1 + len(end[1]) % 2) + "|", markdown(text))


def chat(text: str) -> str:
    """Text that reads the same and mentions nobody, in any chat."""
    return _BEGINS_CHAT_MARKUP.sub(_INVISIBLE, text)
