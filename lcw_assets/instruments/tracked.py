"""Which coins the user tracks, as `LCW_TRACKED_COINS` or a run's configuration says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lcw_assets import escape
from lcw_assets.settings import Settings
from lcw_assets.settings.user_files import UserFileError, read_text

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Top = Callable[[int], Sequence[str]]
_VARIABLE = "LCW_TRACKED_COINS"


class CoinsError(ValueError):
    """No coin can be read. Says which value is wrong and what it must be; without any content of a file."""


def read_top(db: DuckDBPyConnection, currency: str, now: datetime, most: int) -> list[str]:
    """The largest coins of the newest cycles. (Rows from the future were written by a wrong clock.)"""
    rows = db.execute(
        "SELECT code FROM market.current_coins WHERE currency = $currency AND observed_at > (SELECT max(observed_at) "
        "FROM market.coins WHERE currency = $currency AND observed_at <= $now) - INTERVAL 1 HOUR "
        "ORDER BY rank, observed_at DESC LIMIT $most",
        {"currency": currency, "most": most, "now": now},
    )
    return list(dict.fromkeys(code for (code,) in rows.fetchall()))


def tracked_codes(db: DuckDBPyConnection, settings: Settings, now: datetime, coins: str | None = None) -> list[str]:
    """The coins of a run: those that it was given, or the tracked ones. Raises `CoinsError`."""
    top = partial(read_top, db, settings.currency, now)
    return read_codes(coins, top, "coins") if coins else read_codes(settings.tracked_coins, top)


def read_codes(text: str, top: Top, name: str = _VARIABLE) -> list[str]:
    """Codes, each once, in order: a list of them, the `top:100`, or those of a file. Raises `CoinsError`.

    They are case-sensitive and never parsed: NAN and 0xBTC are coins. Only the environment may name a
    file: users who may launch runs must not read files.
    """
    kind, colon, rest = text.strip().partition(":")
    if kind == "file" and colon:
        if name != _VARIABLE:
            raise CoinsError(f"{name}=file:…: only {_VARIABLE} may name a file; give codes (BTC ETH) or top:100")
        try:
            content, name = read_text(Path(rest).expanduser()), f"the file of {name}={escape.line(text)}"
        except (UserFileError, RuntimeError) as error:  # RuntimeError: there is no such home folder
            raise CoinsError(f"{name}={escape.line(text)}: {escape.line(error)}") from None
        text = content
    elif kind == "top" and colon:
        if not rest.isdecimal() or len(rest) > 5 or not 1 <= int(rest) <= 50_000:
            given = f"{name}={escape.line(text, 80)}"
            raise CoinsError(f"{given}: after top: comes a number from 1 to 50000, as in top:100")
        if largest := list(top(int(rest))):
            return largest
        raise CoinsError(f"{name}={text}: no coin is known yet, so none is on top: run a cycle first")
    codes = list(dict.fromkeys(text.replace(",", " ").split()))
    if not codes:
        raise CoinsError(f"{name} names no coin: set it to codes (BTC,ETH), or top:100")
    for place, code in enumerate(codes, 1):
        if len(code) > 64:
            raise CoinsError(f"{name}: word {place} has over 64 characters: no code of Live Coin Watch does")
        if not code.isprintable():
            raise CoinsError(f"{name}: word {place} has a character that nobody can see, which no code has")
    return codes
