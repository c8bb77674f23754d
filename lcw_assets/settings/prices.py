"""Consensus prices: of which coins, from whom, how often, and what counts as wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field, field_validator

from lcw_assets.settings.environment import Environment
from lcw_assets.settings.sources import NOBODY
from lcw_assets.sources.spec import group

GROUP = "prices"
TRACKED = "tracked"

# It is an average of exchanges itself: what it says is compared with the consensus, and never part of it.
WITNESS = "coingecko"

# Second of the minute by which the last round has ended.
_LAST_ROUND_ENDS_S = 50.0

# A price that is seconds old is of no use: who has not responded by then is missing.
_LONGEST_ROUND_S = 10.0


class PricesSettings(Environment):
    prices_symbols: str = Field(
        "BTC,ETH,SOL,XRP,DOGE,BNB",
        alias="PRICES_SYMBOLS",
        description="coins that get a consensus price: codes of Live Coin Watch, or tracked: all tracked coins that at "
        "least three sources trade",
    )
    prices_sources: str = Field(
        "",
        alias="PRICES_SOURCES",
        description="who is called, with commas between them; unset: every exchange that there is; none: no prices",
    )
    prices_backups: str = Field(
        "",
        alias="PRICES_BACKUPS",
        description="who takes the place of a source that is out, as in coinbase:bitstamp,okx:bybit; a backup is to "
        "be left out of PRICES_SOURCES",
    )
    prices_coingecko: bool = Field(
        False,
        alias="PRICES_COINGECKO",
        description="call CoinGecko as well: an average of exchanges, which is compared and has no vote",
    )
    prices_quorum: int = Field(
        3,
        alias="PRICES_QUORUM",
        ge=2,
        le=20,
        description="sources that must be left after rejection; with fewer there is no price, and the reason why",
    )
    prices_method: str = Field(
        "median",
        alias="PRICES_METHOD",
        description="median, or volume: the median weighted by volume, 40 % a source at most",
    )
    prices_round_s: int = Field(
        0,
        alias="PRICES_ROUND_S",
        description="seconds between rounds within a minute's run, 5 to 30; 0: one round a minute",
    )
    prices_lcw_deviation: float = Field(
        0.01,
        alias="PRICES_LCW_DEVIATION",
        ge=0.0001,
        le=1,
        description="by what share Live Coin Watch may differ from the consensus (0.01 is 1 %)",
    )
    prices_depeg: float = Field(
        0.005,
        alias="PRICES_DEPEG",
        ge=0.0001,
        le=1,
        description="by what share USDT may differ from one USD",
    )
    prices_budget: float = Field(
        0.0,
        alias="PRICES_BUDGET",
        ge=0,
        le=100_000,
        description="USD a day that calls to one source may cost until it is left out; 0: any (all are free today)",
    )

    @field_validator("prices_method")
    @classmethod
    def _a_method(cls, value: str) -> str:
        if value not in ("median", "volume"):
            raise ValueError("it must be median or volume")
        return value

    @field_validator("prices_round_s")
    @classmethod
    def _a_round(cls, value: int) -> int:
        if value and not 5 <= value <= 30:
            raise ValueError("it must be 0, for one round a minute, or from 5 to 30")
        return value

    @field_validator("prices_symbols")
    @classmethod
    def _symbols(cls, value: str) -> str:
        codes = _words(value)
        if not codes:
            raise ValueError("it names no coin: set it to codes (BTC,ETH), or to tracked")
        for place, code in enumerate(codes, 1):
            if len(code) > 64 or not code.isprintable():
                raise ValueError(f"word {place} is no code of a coin: it is over 64 characters, or cannot be seen")
        return value

    @field_validator("prices_sources")
    @classmethod
    def _sources(cls, value: str) -> str:
        if value.strip().lower() != NOBODY:
            _known(_words(value), exchanges())
        return value

    @field_validator("prices_backups")
    @classmethod
    def _backups(cls, value: str) -> str:
        for pair in _words(value):
            names = pair.split(":")
            if len(names) != 2 or names[0] == names[1]:
                raise ValueError(f"{pair!r} is no pair: expected the source, a colon, and its backup")
            _known(names, exchanges())
        return value

    @property
    def symbols(self) -> Sequence[str] | None:
        """The coins; null for all that are tracked and that three sources trade."""
        return None if self.prices_symbols.strip() == TRACKED else _words(self.prices_symbols)

    @property
    def price_sources(self) -> Sequence[str]:
        """Who is called. A source that is only a backup is not: it waits for its turn."""
        chosen = _words(self.prices_sources)
        return [name for name in chosen if name.lower() != NOBODY] if chosen else exchanges()

    @property
    def price_witnesses(self) -> Sequence[str]:
        """Who is called as well, and has no vote."""
        return [WITNESS] if self.prices_coingecko else []

    @property
    def price_backups(self) -> Mapping[str, str]:
        return {one: other for one, _, other in (pair.partition(":") for pair in _words(self.prices_backups))}

    @property
    def prices_deadline_s(self) -> float:
        """Seconds from its moment after which a round makes no call any more: before the next one begins."""
        return min(_LONGEST_ROUND_S, 0.8 * self.prices_round_s) if self.prices_round_s else _LONGEST_ROUND_S

    @property
    def prices_rounds_s(self) -> Sequence[int]:
        """When the rounds of a minute begin, in seconds from the first: the last one has ended by second 50."""
        if not self.prices_round_s:
            return [0]
        last = int(_LAST_ROUND_ENDS_S - self.prices_deadline_s)
        return range(0, last + 1, self.prices_round_s)


def exchanges() -> Sequence[str]:
    """The sources that may vote."""
    return [name for name in group(GROUP).sources if name != WITNESS]


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(text.replace(",", " ").split()))


def _known(names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{name!r} is none: expected some of {', '.join(known)}")
