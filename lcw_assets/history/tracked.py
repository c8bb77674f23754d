"""The coins whose history is kept: a list of codes, the largest so many, or a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lcw_assets.user_files import UserFileError, read_text


class TrackedError(ValueError):
    """The list of coins is none. Says what it is and how one looks."""


def read_tracked(text: str, top: Callable[[int], Sequence[str]]) -> list[str]:
    """The codes that `LCW_TRACKED_COINS` means, each once, in order. `top` gives the largest so many.

    Codes are case-sensitive and never parsed: NAN and 0xBTC are coins.
    """
    kind, colon, rest = text.strip().partition(":")
    if kind == "top" and colon:
        if not rest.isdecimal() or not 1 <= int(rest) <= 50_000:
            raise TrackedError(f"LCW_TRACKED_COINS={text}: after top: comes a number from 1 to 50000, as in top:100")
        codes = list(top(int(rest)))
        if not codes:
            raise TrackedError(f"LCW_TRACKED_COINS={text}: no coin is known yet, so none is on top: run a cycle first")
        return codes
    if kind == "file" and colon:
        try:
            text = read_text(Path(rest).expanduser())
        except (UserFileError, RuntimeError) as error:  # RuntimeError: there is no such home folder
            raise TrackedError(f"LCW_TRACKED_COINS={text}: {error}") from None
    words = text.replace(",", " ").split()
    if not words:
        raise TrackedError("LCW_TRACKED_COINS names no coin: set it to codes (BTC,ETH), top:100, or file:coins.txt")
    long = [place for place, word in enumerate(words, 1) if len(word) > 64]
    if long:
        raise TrackedError(f"LCW_TRACKED_COINS: code {long[0]} has over 64 characters: none of Live Coin Watch does")
    return list(dict.fromkeys(words))
