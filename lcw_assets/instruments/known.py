"""The names that are known without asking anybody: the default coins at the seven exchanges and two averages.

From the venues' documentation and recorded responses of 2020 to 2026. Markets of other coins come from the venues' own
lists of pairs; their coins need a row in the table of names before they have a price.
"""

from __future__ import annotations

from lcw_assets.instruments.names import EVERYWHERE, CoinName, Market

# Venues whose names of coins are no tickers: one that is the same as a code means nothing.
NOT_TICKERS = frozenset({"coingecko"})

_SAME_EVERYWHERE = ("USD", "USDT", "USDC", "BTC", "ETH", "SOL", "XRP", "DOGE", "BNB")

NAMES = (
    *(CoinName(EVERYWHERE, name, name) for name in _SAME_EVERYWHERE),
    # Kraken calls them so in `altname` and `wsname`; its lists of assets put an X or a Z before, some of the time.
    CoinName("kraken", "XBT", "BTC"),
    CoinName("kraken", "XXBT", "BTC"),
    CoinName("kraken", "XDG", "DOGE"),
    CoinName("kraken", "XXDG", "DOGE"),
    CoinName("kraken", "XETH", "ETH"),
    CoinName("kraken", "XXRP", "XRP"),
    CoinName("kraken", "ZUSD", "USD"),
    # CoinGecko knows coins by what it calls ids.
    CoinName("coingecko", "bitcoin", "BTC"),
    CoinName("coingecko", "ethereum", "ETH"),
    CoinName("coingecko", "solana", "SOL"),
    CoinName("coingecko", "ripple", "XRP"),
    CoinName("coingecko", "dogecoin", "DOGE"),
    CoinName("coingecko", "binancecoin", "BNB"),
    CoinName("coingecko", "tether", "USDT"),
    CoinName("coingecko", "usd", "USD"),
)

# Base and quote in the venue's names, its symbol in responses, and what to request where that differs.
_KRAKEN = (
    ("XBT", "USD", "XXBTZUSD", "XBTUSD"),
    ("ETH", "USD", "XETHZUSD", "ETHUSD"),
    ("SOL", "USD", "SOLUSD", "SOLUSD"),
    ("XRP", "USD", "XXRPZUSD", "XRPUSD"),
    ("XDG", "USD", "XDGUSD", "XDGUSD"),
    ("USDT", "USD", "USDTZUSD", "USDTUSD"),
)
_COINGECKO = ("bitcoin", "ethereum", "solana", "ripple", "dogecoin", "binancecoin", "tether")
_FIVE = ("BTC", "ETH", "SOL", "XRP", "DOGE")

MARKETS = (
    *(Market("kraken", symbol, base, quote, request) for base, quote, symbol, request in _KRAKEN),
    *(Market("coinbase", f"{coin}-USD", coin, "USD") for coin in (*_FIVE, "USDT")),
    # Coinbase shows the book of BTC-USD under this name as well.
    Market("coinbase", "BTC-USDC", "BTC", "USDC", same_book="BTC-USD"),
    *(Market("bitstamp", f"{coin}/USD", coin, "USD", f"{coin}usd".lower()) for coin in (*_FIVE, "USDT")),
    *(Market("okx", f"{coin}-USDT", coin, "USDT") for coin in (*_FIVE, "BNB")),
    Market("okx", "USDT-USD", "USDT", "USD"),
    *(Market("binance", f"{coin}USDT", coin, "USDT") for coin in (*_FIVE, "BNB")),
    *(Market("kucoin_spot", f"{coin}-USDT", coin, "USDT") for coin in (*_FIVE, "BNB")),
    *(Market("coingecko", coin, coin, "usd") for coin in _COINGECKO),
    *(Market("bybit", f"{coin}USDT", coin, "USDT") for coin in (*_FIVE, "BNB")),
)
