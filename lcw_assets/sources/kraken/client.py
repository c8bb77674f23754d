"""Kraken: the markets that are requested, or every one, in one response, quoted in USD; USDTZUSD is one of them.

About a request a second an address; no headers say how many are left. One unknown market in a request loses all.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from lcw_assets.sources.kraken.records import read_markets, read_tickers
from lcw_assets.sources.kraken.spec import SOURCE
from lcw_assets.sources.ticker_client import Meaning, TickerClient
from lcw_assets.transport.facts import Response

# "EService: Throttled: 1785145938": until that UNIX second. One further away is a clock that is wrong.
_THROTTLED = re.compile(r"Throttled: ?(\d{10})\b")
_LONGEST_S = 600.0
_MOST_MARKETS = 100  # more would make the address too long


class Kraken(TickerClient):
    source = SOURCE
    endpoint = "0/public/Ticker"
    read_tickers = staticmethod(read_tickers)
    list_endpoint = "0/public/AssetPairs"
    read_markets = staticmethod(read_markets)
    ban_s = 900.0
    codes: ClassVar[Mapping[str, Meaning]] = {
        "EGeneral:Too many requests": "rate_limited",
        "EAPI:Rate limit exceeded": "rate_limited",
        "EService:Throttled": "rate_limited",
        "EGeneral:Temporary lockout": "ban",
        "EQuery:Unknown asset pair": "unknown_market",
        "EGeneral:Internal error": "server_error",
        "EService:Unavailable": "maintenance",  # also of the matching engine alone
        "EService:Busy": "server_error",
    }

    @classmethod
    def request_for(cls, markets: Sequence[str]) -> dict[str, Any]:
        return {"pair": ",".join(markets)} if 0 < len(markets) <= _MOST_MARKETS else {}

    def wait_s(self, response: Response) -> float | None:
        found = _THROTTLED.search(response.text[:1_000])
        left = int(found[1]) - response.received_at.timestamp() if found else 0.0
        return left if 0 < left <= _LONGEST_S else super().wait_s(response)
