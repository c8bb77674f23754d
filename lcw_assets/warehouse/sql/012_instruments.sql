-- What is the same coin where: the names that venues have for coins, and their own lists of markets.
CREATE SCHEMA instruments;

-- What a name means at a venue. One INSERT of (venue, name, coin) corrects it: such rows replace all others of the same
-- venue and name. Rows that a user did not write are rewritten with each list; a load makes its own from market.coins.
CREATE TABLE instruments.names (
    venue     VARCHAR NOT NULL,              -- the declared name of the source, such as kraken, also for demo data; * means every venue that has no row of its own for the name
    name      VARCHAR NOT NULL,              -- what it calls the coin: XBT. Case-sensitive, never parsed
    coin      VARCHAR NOT NULL,              -- the Live Coin Watch code, or the ISO code of a currency: BTC, USD. Two coins for one name: it has no price
    since     TIMESTAMPTZ,                   -- from when on; null: always
    until     TIMESTAMPTZ,                   -- up to when, without it; null: still
    successor VARCHAR,                       -- the name that the venue uses after `until`; null: the coin was delisted
    origin    VARCHAR NOT NULL DEFAULT 'user', -- user; builtin (known without a list), or code (the name is a Live Coin Watch code)
);

-- Every market on the latest list of each venue that sent one. A symbol with two rows has two meanings, and no price.
CREATE TABLE instruments.markets (
    venue     VARCHAR NOT NULL,      -- the declared name of the source, such as kraken, also for demo data
    symbol    VARCHAR NOT NULL,      -- its name in responses: XXBTZUSD
    base      VARCHAR NOT NULL,      -- what is priced, in the venue's own name: XBT
    quote     VARCHAR NOT NULL,      -- what it is priced in, in the venue's own name: USD
    request   VARCHAR,               -- its name in requests: XBTUSD; null: the same as in responses
    kind      VARCHAR NOT NULL,      -- spot, or perpetual, tokenized_asset and others, which have no price here
    status    VARCHAR NOT NULL,      -- trading, or the venue's word: cancel_only, preopen, suspend, delisted, disabled
    same_book VARCHAR,               -- the symbol of the market whose order book this one shows as well; null: it has its own
    listed_at TIMESTAMPTZ NOT NULL,  -- when the list came
    load_id   VARCHAR NOT NULL,      -- the load that brought it
);

-- One row a venue: when its list was requested and came, so that it is requested once a day.
CREATE TABLE instruments.lists (
    venue        VARCHAR NOT NULL,      -- the declared name of the source, such as kraken, also for demo data
    attempted_at TIMESTAMPTZ NOT NULL,  -- when it was last requested, whatever came of it
    received_at  TIMESTAMPTZ,           -- when the list in instruments.markets came; null: none yet, and the built-in markets serve
    load_id      VARCHAR NOT NULL,      -- the load of the last request
);
