"""The coins whose history is kept: a list of codes, the largest so many, or a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lcw_assets import escape
from lcw_assets.settings.user_files import UserFileError, read_text

Top = Callable[[int], Sequence[str]]


class TrackedError(ValueError):
    """The list of coins is none. Says what it is and how one looks, and nothing of what a file holds."""


def read_tracked(text: str, top: Top) -> list[str]:
    """The codes that `LCW_TRACKED_COINS` means, each once, in order. `top` gives the largest so many.

    Codes are case-sensitive and never parsed: NAN and 0xBTC are coins.
    """
    kind, colon, rest = text.strip().partition(":")
    if kind != "file" or not colon:
        return _read(text, top, "LCW_TRACKED_COINS")
    try:
        content = read_text(Path(rest).expanduser())
    except (UserFileError, RuntimeError) as error:  # RuntimeError: there is no such home folder
        raise TrackedError(f"LCW_TRACKED_COINS={escape.line(text)}: {escape.line(error)}") from None
    return _codes(content, f"the file of LCW_TRACKED_COINS={escape.line(text)}")


def read_given(text: str, top: Top) -> list[str]:
    """The same for what somebody gave a run, who may launch runs and is not thereby meant to read files."""
    if text.strip().startswith("file:"):
        raise TrackedError("coins=file:…: only LCW_TRACKED_COINS may name a file; give codes (BTC ETH) or top:100")
    return _read(text, top, "coins")


def _read(text: str, top: Top, name: str) -> list[str]:
    kind, colon, rest = text.strip().partition(":")
    if kind != "top" or not colon:
        return _codes(text, name)
    if not rest.isdecimal() or len(rest) > 5 or not 1 <= int(rest) <= 50_000:
        said = escape.line(text, 80)
        raise TrackedError(f"{name}={said}: after top: comes a number from 1 to 50000, as in top:100")
    codes = list(top(int(rest)))
    if not codes:
        raise TrackedError(f"{name}={text}: no coin is known yet, so none is on top: run a cycle first")
    return codes


def _codes(text: str, name: str) -> list[str]:
    codes = list(dict.fromkeys(text.replace(",", " ").split()))
    if not codes:
        raise TrackedError(f"{name} names no coin: set it to codes (BTC,ETH), or top:100")
    for place, code in enumerate(codes, 1):
        if len(code) > 64:
            raise TrackedError(f"{name}: word {place} has over 64 characters: no code of Live Coin Watch does")
        if not code.isprintable():
            raise TrackedError(f"{name}: word {place} has a character that nobody can see, which no code has")
    return codes
