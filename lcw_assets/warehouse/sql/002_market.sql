-- The market: what is true now, and a row for every time that it changed.
CREATE SCHEMA market;

CREATE TABLE market.coins (
    code               VARCHAR NOT NULL,      -- Live Coin Watch's code: case-sensitive, never parsed
    currency           VARCHAR NOT NULL,      -- what rate, volume, cap and liquidity are in
    name               VARCHAR,               -- such as Bitcoin
    symbol             VARCHAR,               -- its sign; most coins have none
    rank               BIGINT,                -- 1 is the largest by cap
    rate               DOUBLE,                -- price of one coin
    volume             DOUBLE,                -- traded in 24 hours
    cap                DOUBLE,                -- market capitalisation
    liquidity          DOUBLE,                -- order book within 2 % of the price; lists do not have it
    delta_hour         DOUBLE,                -- multiplier over an hour, 1 is no change
    delta_day          DOUBLE,                -- multiplier over a day
    delta_week         DOUBLE,                -- multiplier over a week
    delta_month        DOUBLE,                -- multiplier over a month
    delta_quarter      DOUBLE,                -- multiplier over a quarter
    delta_year         DOUBLE,                -- multiplier over a year; null for younger coins
    circulating_supply DOUBLE,                -- coins in circulation
    total_supply       DOUBLE,                -- coins that exist
    max_supply         DOUBLE,                -- coins that can ever exist; null if unlimited or unknown
    all_time_high_usd  DOUBLE,                -- always in USD
    age_days           BIGINT,                -- days since the coin was listed
    exchanges          BIGINT,                -- exchanges that trade it
    markets            BIGINT,                -- markets that trade it
    pairs              BIGINT,                -- pairs it is in
    categories         VARCHAR[],             -- such as meme, defi
    color              VARCHAR,               -- #rrggbb
    links              JSON,                  -- site to address
    png32              VARCHAR,               -- icon address
    png64              VARCHAR,               -- icon address
    webp32             VARCHAR,               -- icon address
    webp64             VARCHAR,               -- icon address
    observed_at        TIMESTAMPTZ NOT NULL,  -- when these values were last confirmed; long ago for a coin that has left
    changed_at         TIMESTAMPTZ NOT NULL,  -- when they last differed from the ones before
    cycle_id           VARCHAR NOT NULL,      -- the cycle that observed them
);

CREATE TABLE market.coin_ticks (
    code               VARCHAR NOT NULL,      -- Live Coin Watch's code
    currency           VARCHAR NOT NULL,      -- what the money is in
    observed_at        TIMESTAMPTZ NOT NULL,  -- when the response with these values came
    cycle_id           VARCHAR NOT NULL,      -- the cycle that observed them
    rank               BIGINT,                -- 1 is the largest by cap
    rate               DOUBLE,                -- price of one coin
    volume             DOUBLE,                -- traded in 24 hours
    cap                DOUBLE,                -- market capitalisation
    liquidity          DOUBLE,                -- order book within 2 % of the price
    delta_hour         DOUBLE,                -- multiplier over an hour, 1 is no change
    delta_day          DOUBLE,                -- multiplier over a day
    delta_week         DOUBLE,                -- multiplier over a week
    delta_month        DOUBLE,                -- multiplier over a month
    delta_quarter      DOUBLE,                -- multiplier over a quarter
    delta_year         DOUBLE,                -- multiplier over a year
);

CREATE TABLE market.exchanges (
    code              VARCHAR NOT NULL,      -- Live Coin Watch's code, lower case
    currency          VARCHAR NOT NULL,      -- what the money is in
    name              VARCHAR,               -- such as Binance
    centralized       BOOLEAN,               -- false for decentralised ones
    us_compliant      BOOLEAN,               -- open to users in the USA
    markets           BIGINT,                -- markets on it
    volume            DOUBLE,                -- traded in 24 hours
    bid_total         DOUBLE,                -- bids in the book; null for decentralised ones
    ask_total         DOUBLE,                -- asks in the book; null for decentralised ones
    depth             DOUBLE,                -- bids and asks together
    visitors          BIGINT,                -- visitors a day
    volume_per_visitor DOUBLE,               -- volume divided by visitors
    png64             VARCHAR,               -- icon address
    png128            VARCHAR,               -- icon address
    webp64            VARCHAR,               -- icon address
    webp128           VARCHAR,               -- icon address
    observed_at       TIMESTAMPTZ NOT NULL,  -- when these values were last confirmed; long ago for one that has left
    changed_at        TIMESTAMPTZ NOT NULL,  -- when they last differed from the ones before
    cycle_id          VARCHAR NOT NULL,      -- the cycle that observed them
);

CREATE TABLE market.exchange_ticks (
    code              VARCHAR NOT NULL,      -- Live Coin Watch's code, lower case
    currency          VARCHAR NOT NULL,      -- what the money is in
    observed_at       TIMESTAMPTZ NOT NULL,  -- when the response with these values came
    cycle_id          VARCHAR NOT NULL,      -- the cycle that observed them
    markets           BIGINT,                -- markets on it
    volume            DOUBLE,                -- traded in 24 hours
    bid_total         DOUBLE,                -- bids in the book
    ask_total         DOUBLE,                -- asks in the book
    depth             DOUBLE,                -- bids and asks together
    visitors          BIGINT,                -- visitors a day
    volume_per_visitor DOUBLE,               -- volume divided by visitors
);

CREATE TABLE market.overview_ticks (
    currency      VARCHAR NOT NULL,      -- what the money is in
    observed_at   TIMESTAMPTZ NOT NULL,  -- when the response with these values came
    cycle_id      VARCHAR NOT NULL,      -- the cycle that observed them
    cap           DOUBLE,                -- capitalisation of the whole market
    volume        DOUBLE,                -- traded in 24 hours
    liquidity     DOUBLE,                -- order books within 2 % of the price
    btc_dominance DOUBLE,                -- Bitcoin's share of the cap, a fraction
);
