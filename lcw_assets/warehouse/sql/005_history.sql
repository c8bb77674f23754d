-- History: points that a backfill requested, what they replaced, and what was requested, so that it is not requested again.
-- And what is derived from ticks: bars, and the whole market at a moment.
CREATE SCHEMA history;

CREATE TABLE history.coin_daily (
    code        VARCHAR NOT NULL,      -- Live Coin Watch's code
    currency    VARCHAR NOT NULL,      -- what the money is in
    bucket      TIMESTAMPTZ NOT NULL,  -- the day that the point is for: when it begins
    date        TIMESTAMPTZ NOT NULL,  -- the point's own time, within it
    rate        DOUBLE,                -- price of one coin
    volume      DOUBLE,                -- traded in the 24 hours before
    cap         DOUBLE,                -- market capitalisation
    liquidity   DOUBLE,                -- order book within 2 % of the price
    step_s      BIGINT NOT NULL,       -- seconds between the points of the response: a coarser one replaces none
    observed_at TIMESTAMPTZ NOT NULL,  -- when its response came
    batch_id    VARCHAR NOT NULL,      -- the calls that it came with, as cycle_id in ops.calls
);

CREATE TABLE history.coin_hourly (
    code        VARCHAR NOT NULL,      -- Live Coin Watch's code
    currency    VARCHAR NOT NULL,      -- what the money is in
    bucket      TIMESTAMPTZ NOT NULL,  -- the hour that the point is for: when it begins
    date        TIMESTAMPTZ NOT NULL,  -- the point's own time, within it
    rate        DOUBLE,                -- price of one coin
    volume      DOUBLE,                -- traded in the 24 hours before
    cap         DOUBLE,                -- market capitalisation
    liquidity   DOUBLE,                -- order book within 2 % of the price
    step_s      BIGINT NOT NULL,       -- seconds between the points of the response: a coarser one replaces none
    observed_at TIMESTAMPTZ NOT NULL,  -- when its response came
    batch_id    VARCHAR NOT NULL,      -- the calls that it came with, as cycle_id in ops.calls
);

CREATE TABLE history.coin_5min (
    code        VARCHAR NOT NULL,      -- Live Coin Watch's code
    currency    VARCHAR NOT NULL,      -- what the money is in
    bucket      TIMESTAMPTZ NOT NULL,  -- the five minutes that the point is for: when it begins
    date        TIMESTAMPTZ NOT NULL,  -- the point's own time, within it
    rate        DOUBLE,                -- price of one coin
    volume      DOUBLE,                -- traded in the 24 hours before
    cap         DOUBLE,                -- market capitalisation
    liquidity   DOUBLE,                -- order book within 2 % of the price
    step_s      BIGINT NOT NULL,       -- seconds between the points of the response: a coarser one replaces none
    observed_at TIMESTAMPTZ NOT NULL,  -- when its response came
    batch_id    VARCHAR NOT NULL,      -- the calls that it came with, as cycle_id in ops.calls
);

CREATE TABLE history.overview_daily (
    currency    VARCHAR NOT NULL,      -- what the money is in
    bucket      TIMESTAMPTZ NOT NULL,  -- the day that the point is for: when it begins
    date        TIMESTAMPTZ NOT NULL,  -- the point's own time, within it
    cap         DOUBLE,                -- capitalisation of the whole market
    volume      DOUBLE,                -- traded in the 24 hours before
    liquidity   DOUBLE,                -- order books within 2 % of the price
    btc_dominance DOUBLE,              -- Bitcoin's share of the cap, a fraction
    step_s      BIGINT NOT NULL,       -- seconds between the points of the response: a coarser one replaces none
    observed_at TIMESTAMPTZ NOT NULL,  -- when its response came
    batch_id    VARCHAR NOT NULL,      -- the calls that it came with, as cycle_id in ops.calls
);

CREATE TABLE history.overview_hourly (
    currency    VARCHAR NOT NULL,      -- what the money is in
    bucket      TIMESTAMPTZ NOT NULL,  -- the hour that the point is for: when it begins
    date        TIMESTAMPTZ NOT NULL,  -- the point's own time, within it
    cap         DOUBLE,                -- capitalisation of the whole market
    volume      DOUBLE,                -- traded in the 24 hours before
    liquidity   DOUBLE,                -- order books within 2 % of the price
    btc_dominance DOUBLE,              -- Bitcoin's share of the cap, a fraction
    step_s      BIGINT NOT NULL,       -- seconds between the points of the response: a coarser one replaces none
    observed_at TIMESTAMPTZ NOT NULL,  -- when its response came
    batch_id    VARCHAR NOT NULL,      -- the calls that it came with, as cycle_id in ops.calls
);

CREATE TABLE history.overview_5min (
    currency    VARCHAR NOT NULL,      -- what the money is in
    bucket      TIMESTAMPTZ NOT NULL,  -- the five minutes that the point is for: when it begins
    date        TIMESTAMPTZ NOT NULL,  -- the point's own time, within it
    cap         DOUBLE,                -- capitalisation of the whole market
    volume      DOUBLE,                -- traded in the 24 hours before
    liquidity   DOUBLE,                -- order books within 2 % of the price
    btc_dominance DOUBLE,              -- Bitcoin's share of the cap, a fraction
    step_s      BIGINT NOT NULL,       -- seconds between the points of the response: a coarser one replaces none
    observed_at TIMESTAMPTZ NOT NULL,  -- when its response came
    batch_id    VARCHAR NOT NULL,      -- the calls that it came with, as cycle_id in ops.calls
);

CREATE TABLE history.revisions (
    series        VARCHAR NOT NULL,      -- the table, such as coin_daily
    code          VARCHAR,               -- null for the whole market
    currency      VARCHAR NOT NULL,      -- what the money is in
    bucket        TIMESTAMPTZ NOT NULL,  -- the day, hour or five minutes
    date          TIMESTAMPTZ NOT NULL,  -- the point's own time
    rate          DOUBLE,                -- what it said before: price
    volume        DOUBLE,                -- traded in 24 hours
    cap           DOUBLE,                -- capitalisation
    liquidity     DOUBLE,                -- order book
    btc_dominance DOUBLE,                -- Bitcoin's share, of the whole market
    step_s        BIGINT NOT NULL,       -- seconds between the points of its response
    observed_at   TIMESTAMPTZ NOT NULL,  -- when its response came
    replaced_at   TIMESTAMPTZ NOT NULL,  -- when the response came that restated it
);

CREATE TABLE history.asked (
    series       VARCHAR NOT NULL,      -- the table, such as coin_daily
    code         VARCHAR NOT NULL,      -- Live Coin Watch's code; empty for the whole market
    currency     VARCHAR NOT NULL,      -- what the money is in
    window_start TIMESTAMPTZ NOT NULL,  -- requested from here
    window_end   TIMESTAMPTZ NOT NULL,  -- to before here
    asked_at     TIMESTAMPTZ NOT NULL,  -- when the response came
    points       BIGINT NOT NULL,       -- points in it
    outcome      VARCHAR NOT NULL,      -- points, coarse (fewer than the series has), empty, refused, unknown_code
    begins       BOOLEAN NOT NULL,      -- whether the series is kept up to date from here on; not where a gap was filled
    batch_id     VARCHAR NOT NULL,      -- the calls that it came with
);

CREATE TABLE ops.gaps (
    kind       VARCHAR NOT NULL,      -- minutes (without a cycle), history (not backfilled), coin (stopped)
    subject    VARCHAR NOT NULL,      -- what it is a gap of: fetch_cycle, a table, a coin
    gap_start  TIMESTAMPTZ NOT NULL,  -- the first moment without
    gap_end    TIMESTAMPTZ NOT NULL,  -- the first with again
    missing    BIGINT NOT NULL,       -- minutes, or days of coins
    calls      BIGINT NOT NULL,       -- calls that would fill it; 0 where nothing can
    detail     VARCHAR NOT NULL,      -- in words
    found_at   TIMESTAMPTZ NOT NULL,  -- when this was found
);

CREATE TABLE market.coin_bars (
    code         VARCHAR NOT NULL,      -- Live Coin Watch's code
    currency     VARCHAR NOT NULL,      -- what the money is in
    minutes      BIGINT NOT NULL,       -- how long a bar is: 1, 5, 60 or 1440
    bucket       TIMESTAMPTZ NOT NULL,  -- when it begins
    open         DOUBLE,                -- price as it began
    high         DOUBLE,                -- highest price
    low          DOUBLE,                -- lowest price
    close        DOUBLE,                -- price as it ended
    volume       DOUBLE,                -- traded in the 24 hours before its last tick, as Live Coin Watch says it
    ticks        BIGINT NOT NULL,       -- changes in it; a bar without any is not there, the price being the close before
);

-- The whole market every six hours, so that any moment is at most six hours of ticks away from one.
CREATE TABLE market.coin_checkpoints (
    checkpoint_at TIMESTAMPTZ NOT NULL,  -- the moment: 00:00, 06:00, 12:00 or 18:00 UTC
    code          VARCHAR NOT NULL,      -- Live Coin Watch's code
    currency      VARCHAR NOT NULL,      -- what the money is in
    observed_at   TIMESTAMPTZ NOT NULL,  -- since when these were its values
    cycle_id      VARCHAR NOT NULL,      -- the cycle that observed them
    rank          BIGINT,                -- 1 is the largest by cap
    rate          DOUBLE,                -- price of one coin
    volume        DOUBLE,                -- traded in 24 hours
    cap           DOUBLE,                -- market capitalisation
    liquidity     DOUBLE,                -- order book within 2 % of the price
    delta_hour    DOUBLE,                -- multiplier over an hour
    delta_day     DOUBLE,                -- multiplier over a day
    delta_week    DOUBLE,                -- multiplier over a week
    delta_month   DOUBLE,                -- multiplier over a month
    delta_quarter DOUBLE,                -- multiplier over a quarter
    delta_year    DOUBLE,                -- multiplier over a year
);

-- The whole market as it was at a moment: SELECT * FROM market.as_of('2026-11-20 12:00:00+00'::TIMESTAMPTZ)
CREATE MACRO market.as_of(moment) AS TABLE
WITH base AS (
    SELECT coalesce(max(checkpoint_at), '-infinity'::TIMESTAMPTZ) AS since
    FROM market.coin_checkpoints
    WHERE checkpoint_at <= moment
)
FROM (
    SELECT code, currency, observed_at, cycle_id, rank, rate, volume, cap, liquidity, delta_hour, delta_day, delta_week,
    delta_month, delta_quarter, delta_year
    FROM market.coin_checkpoints
    WHERE checkpoint_at = (SELECT since FROM base)
    UNION ALL BY NAME
    SELECT code, currency, observed_at, cycle_id, rank, rate, volume, cap, liquidity, delta_hour, delta_day, delta_week,
    delta_month, delta_quarter, delta_year
    FROM market.coin_ticks
    WHERE observed_at > (SELECT since FROM base) AND observed_at <= moment
)
QUALIFY row_number() OVER (PARTITION BY code, currency ORDER BY observed_at DESC) = 1;

-- The requests of fetch cycles: what their speed and health are judged by. Backfills and syncs leave facts as well, under
-- sources of their own. (Joining each with ops.cycles would take every cycle 0.2 s more after two years.)
CREATE VIEW ops.cycle_calls AS
SELECT * FROM ops.calls WHERE source IN ('lcw', 'simulator');
