"""Codes and names of the simulated coins: real ones where they teach something, invented ones for the rest."""

from __future__ import annotations

from lcw_assets.simulator.noise import uniform

# The leaders and their real Live Coin Watch codes: the bare ticker is often some other, dead coin.
# With the price, in USD, that the simulated one wanders around.
_LEADERS: dict[str, tuple[str, float]] = {
    "BTC": ("Bitcoin", 114_000), "ETH": ("Ethereum", 3_900), "XRP": ("XRP", 2.8), "USDT": ("Tether", 1.0),
    "BNB": ("BNB", 1_050), "SOL": ("Solana", 190), "USDC": ("USDC", 1.0), "DOGE": ("Dogecoin", 0.21),
    "TRX": ("TRON", 0.33), "ADA": ("Cardano", 0.75), "STETH": ("Lido Staked Ether", 3_900),
    "______HYPE": ("Hyperliquid", 44), "LINK": ("Chainlink", 19), "_SUI": ("Sui", 2.9), "AVAX": ("Avalanche", 24),
    "XLM": ("Stellar", 0.35), "BCH": ("Bitcoin Cash", 520), "TONCOIN": ("Toncoin", 2.6), "LTC": ("Litecoin", 105),
    "DAI": ("Dai", 1.0),
}  # fmt: skip

# What breaks careless clients: codes that look like numbers, nothing, truth or SQL; lower case; many underscores.
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


def code_of(slot: int, generation: int) -> str:
    """The code of the coin that is listed in `slot`; generation 0 came first, later ones replaced it."""
    if generation == 0:
        if slot < len(_LEADERS):
            return tuple(_LEADERS)[slot]
        if 0 <= slot - _FIRST_ODD < len(_ODD):
            return _ODD[slot - _FIRST_ODD]
    number = (slot + generation * _SPAN) * _SHUFFLE % _TICKERS
    letters = ""
    for _ in range(4):
        number, letter = divmod(number, len(_ALPHABET))
        letters += _ALPHABET[letter]
    code = "_" * int(6 * uniform("underscores", slot, generation) ** 4) + letters
    return f"_______{code}" if code in _LEADERS or code in _ODD else code


def place_of(code: str) -> tuple[int, int] | None:
    """`(slot, generation)` of a code; `None` if no coin ever has it."""
    if code in _LEADERS:
        return tuple(_LEADERS).index(code), 0
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
    return _LEADERS[code][0] if code in _LEADERS else code.lstrip("_").capitalize()


def price_around(code: str) -> float | None:
    """USD; `None` for all but the leaders, whose prices a person knows."""
    return _LEADERS[code][1] if code in _LEADERS else None


GENERATIONS = _TICKERS // _SPAN
