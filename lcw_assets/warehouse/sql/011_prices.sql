-- Prices of coins as many sources quote them, and what they add up to. Deviations, spreads and shares are fractions.
CREATE SCHEMA prices;

-- What each source said of each coin in each round: as it came, in USD, and what became of it.
CREATE TABLE prices.quotes (
    load_id     VARCHAR NOT NULL,      -- the round that brought it
    priced_at   TIMESTAMPTZ NOT NULL,  -- the moment of the round: when its last response had come
    source      VARCHAR NOT NULL,      -- who quotes: kraken, coinbase and others; coingecko as a witness
    symbol      VARCHAR NOT NULL,      -- the coin, by its Live Coin Watch code
    market      VARCHAR NOT NULL,      -- what the source calls this market: XXBTZUSD, BTC-USD
    currency    VARCHAR NOT NULL,      -- what prices are in: USD or USDT
    bid         DOUBLE,                -- the highest price of a buy order, in the currency; null where the source sends none
    ask         DOUBLE,                -- the lowest price of a sell order, in the currency; null where the source sends none
    last        DOUBLE,                -- the price of the last trade, however long ago, in the currency
    mid         DOUBLE,                -- halfway between bid and ask; null without a sound book
    volume      DOUBLE,                -- traded in 24 hours, in coins; null where the source sends none
    source_time TIMESTAMPTZ,           -- the source's time of these values; null where it sends none
    time_kind   VARCHAR NOT NULL,      -- what that is the time of: trade (the last one), snapshot, answer (the response), or none
    received_at TIMESTAMPTZ NOT NULL,  -- when the response had come
    age_s       DOUBLE NOT NULL,       -- seconds from the source's time, or else from received_at, to the round
    price       DOUBLE,                -- the one price of this quote, in the currency; null if it is refused
    basis       VARCHAR,               -- what that is: mid, last, or clipped_last (the last trade, kept within the book)
    usd_price   DOUBLE,                -- the same in USD; null if it is refused, or nothing converts it
    usd_rate    DOUBLE,                -- USD for one unit of the currency, as measured; null for USD itself
    rate_age_s  DOUBLE,                -- seconds since that was measured
    role        VARCHAR NOT NULL,      -- used, rejected (by the consensus), refused (no usable price), witness, spare (another market of the same source votes), rate (of a currency alone)
    deviation   DOUBLE,                -- usd_price / consensus - 1; null without one of them
    reason      VARCHAR,               -- why it is refused or rejected, as a code: see docs/prices.md
    detail      JSON,                  -- the numbers of that reason
);

-- The consensus of each coin: a row only where the price, its reason, or who was used has changed.
CREATE TABLE prices.consensus (
    load_id    VARCHAR NOT NULL,      -- the round
    priced_at  TIMESTAMPTZ NOT NULL,  -- the moment of the round
    symbol     VARCHAR NOT NULL,      -- the coin, by its Live Coin Watch code
    price      DOUBLE,                -- in USD; null if there is none that can be defended
    reason     VARCHAR,               -- why there is none, as a code: no_quorum, no_agreement_of_sources
    detail     JSON,                  -- the numbers of that reason
    method     VARCHAR NOT NULL,      -- median or volume
    asked      INTEGER NOT NULL,      -- sources that were called and trade it
    received   INTEGER NOT NULL,      -- of these, with a usable quote
    used       INTEGER NOT NULL,      -- of these, left after rejection
    rejected   INTEGER NOT NULL,      -- of these, further from the middle than max(3 x 1.4826 x MAD, 0.2 %)
    spread     DOUBLE,                -- (highest - lowest) / middle, of those that are used
    mad        DOUBLE,                -- the median absolute deviation of those that are used, in USD
    confidence DOUBLE NOT NULL,       -- 0 to 1: used / asked x 0.002 / (0.002 + spread)
    center     DOUBLE,                -- what deviations are relative to: the price, or without one the median of all
    converted  VARCHAR[] NOT NULL,    -- the used sources whose price was converted from another currency
    deviations JSON NOT NULL,         -- each source's deviation, by name; null for one that sent nothing usable
);

-- The latest price of each coin. It stays, stale and with the reason, while there is no newer one.
CREATE TABLE prices.latest (
    symbol     VARCHAR NOT NULL,      -- the coin, by its Live Coin Watch code
    price      DOUBLE,                -- in USD; null if there never was one
    priced_at  TIMESTAMPTZ,           -- when it was agreed on
    stale      BOOLEAN NOT NULL,      -- the newest round has no price: this one is older
    reason     VARCHAR,               -- why, as a code
    used       INTEGER NOT NULL,      -- sources that are used in the newest round
    rejected   INTEGER NOT NULL,      -- sources that are rejected in the newest round
    spread     DOUBLE,                -- of those that are used
    confidence DOUBLE NOT NULL,       -- 0 to 1
    checked_at TIMESTAMPTZ NOT NULL,  -- the moment of the newest round
    load_id    VARCHAR NOT NULL,      -- the newest round
);

-- What converted other currencies into USD in each round.
CREATE TABLE prices.rates (
    load_id     VARCHAR NOT NULL,      -- the round
    priced_at   TIMESTAMPTZ NOT NULL,  -- the moment of the round
    currency    VARCHAR NOT NULL,      -- such as USDT
    usd         DOUBLE,                -- USD for one unit of it; null if nothing can be trusted
    measured_at TIMESTAMPTZ,           -- when it was measured: priced_at, or earlier if an older rate serves
    sources     VARCHAR[] NOT NULL,    -- who measured it
    implied     DOUBLE,                -- what the books of coins in both currencies say; null if too few have both
    anchor_usd  DOUBLE,                -- the last rate that three sources agreed on; null where this one is it
    anchored_at TIMESTAMPTZ,           -- when they did
    reason      VARCHAR,               -- why there is none, as a code
    detail      JSON,                  -- the numbers of that reason
);

-- What each source did in each round in which it was called: the facts that its health follows from.
CREATE TABLE prices.source_loads (
    load_id   VARCHAR NOT NULL,      -- the round
    priced_at TIMESTAMPTZ NOT NULL,  -- the moment of the round
    source    VARCHAR NOT NULL,      -- the source: kraken, coinbase and others
    outcome   VARCHAR NOT NULL,      -- ok, or what ended its last attempt: timeout, rate_limited, banned, blocked, maintenance and others
    latency_s DOUBLE NOT NULL,       -- of its last attempt
    votes     INTEGER NOT NULL,      -- its usable quotes
    rejected  INTEGER NOT NULL,      -- of these, rejected by a consensus that has a price
    age_s     DOUBLE,                -- the median age of its quotes
    lowest    DOUBLE,                -- the lowest deviation of its votes from the consensus
    deviation DOUBLE,                -- the median of these
    highest   DOUBLE,                -- the highest of these
    calls     INTEGER NOT NULL,      -- requests that were sent, retries and lists of markets included
    bytes     BIGINT NOT NULL,       -- received, as compressed on the wire
    cost      DOUBLE NOT NULL,       -- of these calls, in USD
    retry_at  TIMESTAMPTZ,           -- when the source wants the next request; null if it did not say
);

-- How well each source serves, after the newest round.
CREATE TABLE prices.source_health (
    source     VARCHAR NOT NULL,      -- the source
    state      VARCHAR NOT NULL,      -- healthy; degraded (called, see reasons); out (not called before probe_at); probing (one call now)
    since      TIMESTAMPTZ NOT NULL,  -- since when it is in this state
    reasons    JSON NOT NULL,         -- why, as codes with their numbers
    probe_at   TIMESTAMPTZ,           -- when it is called again; null if it is called
    success    DOUBLE,                -- the share of its last 20 rounds in which its call succeeded
    latency_s  DOUBLE,                -- the median of these
    age_s      DOUBLE,                -- the median age of its quotes
    rejected   DOUBLE,                -- the share of its votes that were rejected
    calls      BIGINT NOT NULL,       -- requests of the UTC day so far
    bytes      BIGINT NOT NULL,       -- bytes of the UTC day so far
    cost       DOUBLE NOT NULL,       -- USD of the UTC day so far
    checked_at TIMESTAMPTZ NOT NULL,  -- the moment of the newest round
);

-- Live Coin Watch's price of each coin against the consensus, both in USD.
CREATE TABLE prices.lcw_deviation (
    symbol    VARCHAR NOT NULL,      -- the coin, by its Live Coin Watch code
    priced_at TIMESTAMPTZ NOT NULL,  -- the moment of the round
    lcw       DOUBLE NOT NULL,       -- Live Coin Watch's price, in USD
    consensus DOUBLE NOT NULL,       -- the consensus price, in USD
    deviation DOUBLE NOT NULL,       -- lcw / consensus - 1
    age_s     DOUBLE NOT NULL,       -- how old Live Coin Watch's price is, in seconds
    off_since TIMESTAMPTZ,           -- since when the deviation is over PRICES_LCW_DEVIATION; null if it is not
);

-- What each source cost on each UTC day.
CREATE VIEW prices.source_costs AS
SELECT
    source,                                     -- the source
    (priced_at AT TIME ZONE 'UTC')::DATE AS day,       -- the UTC day
    count(*) AS rounds,                         -- rounds in which it was called
    sum(calls)::BIGINT AS calls,                -- requests that were sent
    sum(bytes)::BIGINT AS bytes,                -- received, as compressed on the wire
    sum(cost) AS cost                           -- in USD
FROM prices.source_loads
GROUP BY ALL;
