"""CoinGecko's prices: averages of exchanges in USD, under its own names of coins, such as bitcoin."""

from functools import lru_cache

from pydantic import BaseModel, ConfigDict, Field

from lcw_assets.sources.markets import ListedMarket, Markets, Name, markets_of
from lcw_assets.sources.tickers import Amount, Body, NoTickersError, Seconds, TickerRow, Tickers, Wanted


class Row(TickerRow):
    last: Amount = Field(None, alias="usd")
    source_time: Seconds = Field(None, alias="last_updated_at")


class Coin(BaseModel):
    """Its `symbol` is a ticker that several coins have, and is not read."""

    model_config = ConfigDict(strict=True, defer_build=True)

    id: Name


@lru_cache(maxsize=1)
def read_tickers(text: str, wanted: Wanted = None) -> Tickers:
    """Raises `NoTickersError`. The last response is cached: a load reads it as it comes and as it is stored."""
    return _body(text).keyed(Row, kind="snapshot", wanted=wanted)


def _body(text: str) -> Body:
    body = Body.parse(text)
    code = body.get("status", "error_code")
    if code is not None:
        raise NoTickersError(f"{code} {body.get('status', 'error_message') or ''}".strip(), str(code))
    if isinstance(body.get("error"), str):
        raise NoTickersError(body.get("error"), body.get("error"))
    return body


@lru_cache(maxsize=1)
def read_markets(text: str) -> Markets:
    """Each coin as a market of its own name in USD. Raises `NoTickersError`."""
    rows, refused = _body(text).rows(Coin, whole=True)
    return markets_of((ListedMarket(one.id, one.id, "usd") for one in rows), refused)
