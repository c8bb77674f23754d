"""Codes, tickers and names of the simulated coins: real ones if they test something, invented ones otherwise."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from lcw_assets.simulator.noise import uniform


class Leader(NamedTuple):
    """A coin that people know. It wanders around `price`, in USD, or, where it is pegged, hardly leaves `peg`."""

    name: str
    price: float
    peg: str | None = None


# By their real Live Coin Watch codes: the bare ticker is often some other, dead coin.
LEADERS: dict[str, Leader] = {
    "BTC": Leader("Bitcoin", 114_000), "ETH": Leader("Ethereum", 3_900), "XRP": Leader("XRP", 2.8),
    "USDT": Leader("Tether", 1.0, "USD"), "BNB": Leader("BNB", 1_050), "SOL": Leader("Solana", 190),
    "USDC": Leader("USDC", 1.0, "USD"), "DOGE": Leader("Dogecoin", 0.21), "TRX": Leader("TRON", 0.33),
    "ADA": Leader("Cardano", 0.75), "STETH": Leader("Lido Staked Ether", 3_900, "ETH"),
    "______HYPE": Leader("Hyperliquid", 44), "LINK": Leader("Chainlink", 19), "_SUI": Leader("Sui", 2.9),
    "AVAX": Leader("Avalanche", 24), "XLM": Leader("Stellar", 0.35), "BCH": Leader("Bitcoin Cash", 520),
    "TONCOIN": Leader("Toncoin", 2.6), "LTC": Leader("Litecoin", 105), "DAI": Leader("Dai", 1.0, "USD"),
}  # fmt: skip

# Codes that break careless clients: codes that look like numbers, nothing, truth or SQL; lower case; many underscores.
_ODD = (
    "NAN", "INF", "TRUE", "00", "42", "1337", "2022", "0xBTC", "APE$", "BTC++", "MD+", "O'NE", "X",
    "____PEPE", "__WLD", "____TAO", "______MNT", "_IMX", "_STX", "__BONK", "_TIA", "_JUP", "___AERO", "MIOTA",
    "META", "_META", "__META", "___META", "__________________META", "_______________________________TRUMP",
    "_______________________________________PEPE", "MATIC", "POL", "FTM", "EOS", "_KLAY", "BTT", "HYPE",
)  # fmt: skip

_FIRST_ODD = 100  # so that the first two hundred ranks have them all
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TICKERS = len(_ALPHABET) ** 4
# Coprime to 26**4, so that multiplying by it shuffles all four-letter tickers without a repeat.
_SHUFFLE = 190_019
_UNSHUFFLE = pow(_SHUFFLE, -1, _TICKERS)
_SPAN = 40_000  # tickers set aside for each generation of coins

GENERATIONS = _TICKERS // _SPAN

_LEADER_CODES = tuple(LEADERS)
_REAL = frozenset((*LEADERS, *_ODD))


def code_of(slot: int, generation: int) -> str:
    """The code of the coin that is listed in `slot`; generation 0 came first, later ones replaced it."""
    real = _real(slot, generation)
    if real:
        return real
    code = "_" * int(6 * uniform("underscores", slot, generation) ** 4) + _letters(slot, generation)
    return f"_______{code}" if code in _REAL else code


@lru_cache(maxsize=100_000)
def ticker_of(slot: int, generation: int) -> str | None:
    """The name under which exchanges trade that coin: `SUI` of `_SUI`, `TON` of `TONCOIN`.

    `None` if a larger coin has it (`_META` is not META), or if no exchange would list it (`O'NE`).
    """
    real = _real(slot, generation)
    if real is None:
        letters = _letters(slot, generation)
        return None if letters in _OWNERS else letters
    ticker = _plain(real)
    return ticker if _OWNERS[ticker] == real and ticker.isalnum() and ticker == ticker.upper() else None


def _real(slot: int, generation: int) -> str | None:
    if generation == 0 and slot < len(LEADERS):
        return _LEADER_CODES[slot]
    return _ODD[slot - _FIRST_ODD] if generation == 0 and 0 <= slot - _FIRST_ODD < len(_ODD) else None


def _letters(slot: int, generation: int) -> str:
    number = (slot + generation * _SPAN) * _SHUFFLE % _TICKERS
    letters = ""
    for _ in range(4):
        number, letter = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[letter]
    return letters


def _plain(code: str) -> str:
    return "TON" if code == "TONCOIN" else code.lstrip("_")


# A ticker that several coins want belongs to the largest. Invented tickers are unique.
_OWNERS = {_plain(code): code for code in reversed((*LEADERS, *_ODD))}


def place_of(code: str) -> tuple[int, int] | None:
    """`(slot, generation)` of a code; `None` if no coin ever has it."""
    if code in LEADERS:
        return _LEADER_CODES.index(code), 0
    if code in _ODD:
        return _FIRST_ODD + _ODD.index(code), 0
    letters = code.lstrip("_")
    if len(letters) != 4 or any(letter not in _ALPHABET for letter in letters):
        return None
    number = 0
    for letter in reversed(letters):
        number = number * len(_ALPHABET) + _ALPHABET.index(letter)
    generation, slot = divmod(number * _UNSHUFFLE % _TICKERS, _SPAN)
    return (slot, generation) if code_of(slot, generation) == code else None


def name_of(code: str) -> str:
    """`Bitcoin` for BTC; for an invented one, its ticker as a word."""
    return LEADERS[code].name if code in LEADERS else code.lstrip("_").capitalize()
