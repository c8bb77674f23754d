"""Bitstamp's tickers of all markets. `timestamp` is in seconds, as text, and of the response: `last` may be older."""

from functools import lru_cache

from pydantic import Field

from lcw_assets.sources.markets import MarketRow, Name, NameOrNone, markets_reader
from lcw_assets.sources.tickers import Body, Market, NoTickersError, Seconds, TickerRow, Tickers, Wanted


class Row(TickerRow):
    market: Market = Field(alias="pair")
    source_time: Seconds = Field(None, alias="timestamp")
    market_type: str | None = None

    @property
    def wanted(self) -> bool:
        """Perpetual contracts are in the same list."""
        return self.market_type in (None, "SPOT")


class MarketOf(MarketRow):
    """`market_type` is SPOT or PERPETUAL; `name` is what tickers have as `pair`."""

    trades = "Enabled"

    symbol: Name = Field(alias="name")
    base: Name = Field(alias="base_currency")
    quote: Name = Field(alias="counter_currency")
    request: NameOrNone = Field(None, alias="market_symbol")
    status: Name = Field(alias="trading")
    kind: Name = Field(alias="market_type")


@lru_cache(maxsize=1)
def read_tickers(text: str, wanted: Wanted = None) -> Tickers:
    """Of what is traded itself. Raises `NoTickersError`.

    The last response is cached: a load reads it as it comes and as it is stored.
    """
    return _body(text).listed(Row, kind="answer", wanted=wanted)


def _body(text: str) -> Body:
    """Older calls report errors under HTTP 200."""
    body = Body.parse(text)
    if isinstance(body.document, dict):
        said = next((found for name in ("error", "reason", "message") if (found := body.get(name))), None)
        if said is None:
            raise NoTickersError("its document is no list")
        code = body.get("code")
        raise NoTickersError(" ".join(map(str, filter(None, (code, said)))), str(code or said))
    return body


read_markets = markets_reader(_body, MarketOf)
