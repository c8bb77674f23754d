-- KuCoin's futures contracts: what is listed now, what happened to each, and how its market moved.
CREATE SCHEMA registry;

CREATE TABLE registry.tokens (
    symbol                     VARCHAR NOT NULL,      -- KuCoin's name of the contract, such as XBTUSDTM
    status                     VARCHAR NOT NULL,      -- active, paused, delisted, init, cancel_only, being_settled, settled, closed
    is_new                     BOOLEAN NOT NULL,      -- listed within the last LCW_REGISTRY_NEW_HOURS, and not delisted
    first_seen                 TIMESTAMPTZ NOT NULL,  -- the first response that had it
    last_seen                  TIMESTAMPTZ NOT NULL,  -- the latest response that had it
    listed_at                  TIMESTAMPTZ NOT NULL,  -- KuCoin's opening date, or when it was first seen; of a relisted one, its return
    delisted_at                TIMESTAMPTZ,           -- the first response without it; null while it is listed
    changed_at                 TIMESTAMPTZ NOT NULL,  -- when it last had a row in registry.token_events
    root_symbol                VARCHAR,               -- the contract group, such as USDT
    type                       VARCHAR,               -- FFWCSX perpetual, FFICSX with a date
    first_open_date            TIMESTAMPTZ,           -- when KuCoin opened it
    expire_date                TIMESTAMPTZ,           -- null: never
    settle_date                TIMESTAMPTZ,           -- null: never
    base_currency              VARCHAR,               -- XBT is Bitcoin
    quote_currency             VARCHAR,               -- what prices are in
    settle_currency            VARCHAR,               -- what is paid out
    max_order_qty              DOUBLE,                -- largest order, in lots
    max_price                  DOUBLE,                -- highest price of an order
    lot_size                   DOUBLE,                -- smallest order, in lots
    tick_size                  DOUBLE,                -- smallest step of a price
    index_price_tick_size      DOUBLE,                -- smallest step of the index
    multiplier                 DOUBLE,                -- base currency in a lot; -1 for inverse contracts
    initial_margin             DOUBLE,                -- fraction
    maintain_margin            DOUBLE,                -- fraction
    max_risk_limit             DOUBLE,                -- in the settlement currency
    min_risk_limit             DOUBLE,                -- in the settlement currency
    risk_step                  DOUBLE,                -- between two risk limits
    maker_fee_rate             DOUBLE,                -- fraction
    taker_fee_rate             DOUBLE,                -- fraction
    taker_fix_fee              DOUBLE,                -- an order
    maker_fix_fee              DOUBLE,                -- an order
    settlement_fee             DOUBLE,                -- null for perpetual ones
    is_deleverage              BOOLEAN,               -- may positions be deleveraged automatically
    is_quanto                  BOOLEAN,               -- settled in another currency than its base
    is_inverse                 BOOLEAN,               -- quoted in USD, settled in its base
    support_cross              BOOLEAN,               -- takes cross margin; not sent before 2024
    mark_method                VARCHAR,               -- how the mark price comes about
    fair_method                VARCHAR,               -- how the fair price comes about
    funding_base_symbol        VARCHAR,               -- an index of KuCoin's
    funding_quote_symbol       VARCHAR,               -- an index of KuCoin's
    funding_rate_symbol        VARCHAR,               -- an index of KuCoin's
    index_symbol               VARCHAR,               -- the index that it follows
    settlement_symbol          VARCHAR,               -- an index of KuCoin's
    premiums_symbol_1m         VARCHAR,               -- an index of KuCoin's
    premiums_symbol_8h         VARCHAR,               -- an index of KuCoin's
    funding_base_symbol_1m     VARCHAR,               -- an index of KuCoin's
    funding_quote_symbol_1m    VARCHAR,               -- an index of KuCoin's
    source_exchanges           VARCHAR[],             -- where the index comes from, in KuCoin's spelling of the day
    exchange_status            VARCHAR,               -- KuCoin's word: Init, Open, BeingSettled, Settled, Paused, Closed, CancelOnly
    funding_rate_granularity   DOUBLE,                -- milliseconds between two fundings; not sent before 2024
    max_leverage               DOUBLE,                -- multiplier
    k                          DOUBLE,                -- of the risk model
    m                          DOUBLE,                -- of the risk model
    f                          DOUBLE,                -- of the risk model
    mmr_limit                  DOUBLE,                -- of the risk model
    mmr_lev_constant           DOUBLE,                -- of the risk model
    funding_fee_rate           DOUBLE,                -- of the current period, a fraction
    predicted_funding_fee_rate DOUBLE,                -- of the next period; null for contracts with a date
    next_funding_rate_time     DOUBLE,                -- milliseconds that were left until the next funding
    next_funding_at            TIMESTAMPTZ,           -- the moment that this means
    open_interest              DOUBLE,                -- lots
    turnover_of_24h            DOUBLE,                -- in the quote currency; in the base currency for inverse ones
    volume_of_24h              DOUBLE,                -- in the base currency; lots for inverse ones
    mark_price                 DOUBLE,                -- in the quote currency
    index_price                DOUBLE,                -- in the quote currency
    last_trade_price           DOUBLE,                -- in the quote currency
    low_price                  DOUBLE,                -- lowest in 24 hours
    high_price                 DOUBLE,                -- highest in 24 hours
    price_chg_pct              DOUBLE,                -- change in 24 hours, a fraction in spite of its name
    price_chg                  DOUBLE,                -- change in 24 hours, in the quote currency
    buy_limit                  DOUBLE,                -- highest price of a buy order right now
    sell_limit                 DOUBLE,                -- lowest price of a sell order right now
    unknown_fields             JSON,                  -- other fields of KuCoin, under their own names
    fingerprint                VARCHAR NOT NULL,      -- of the status and all that has events: for finding what changed
);

CREATE TABLE registry.token_events (
    symbol      VARCHAR NOT NULL,      -- the contract
    event       VARCHAR NOT NULL,      -- listed, delisted, relisted, status_changed or parameter_changed
    field       VARCHAR NOT NULL,      -- the column of registry.tokens that changed
    old_value   VARCHAR,               -- what it was
    new_value   VARCHAR,               -- what it is since
    happened_at TIMESTAMPTZ NOT NULL,  -- of a listing, listed_at; otherwise the same as observed_at
    observed_at TIMESTAMPTZ NOT NULL,  -- the response that showed it
    sync_id     VARCHAR NOT NULL,      -- the sync that made the call
);

CREATE TABLE registry.token_snapshots (
    symbol                     VARCHAR NOT NULL,      -- the contract
    observed_at                TIMESTAMPTZ NOT NULL,  -- when the response with these values came
    sync_id                    VARCHAR NOT NULL,      -- the sync that made the call
    mark_price                 DOUBLE,                -- in the quote currency
    index_price                DOUBLE,                -- in the quote currency
    last_trade_price           DOUBLE,                -- in the quote currency
    funding_fee_rate           DOUBLE,                -- of the current period, a fraction
    predicted_funding_fee_rate DOUBLE,                -- of the next period
    open_interest              DOUBLE,                -- lots
);

CREATE TABLE ops.syncs (
    sync_id           VARCHAR NOT NULL,      -- its moment and the head of its run id; sorts by time
    run_id            VARCHAR NOT NULL,      -- the Dagster run
    source            VARCHAR NOT NULL,      -- kucoin, or kucoin-simulator for demo data
    scheduled_at      TIMESTAMPTZ,           -- the tick; null for a manual run
    started_at        TIMESTAMPTZ NOT NULL,  -- when it began to fetch
    observed_at       TIMESTAMPTZ,           -- when the response had come; null without one
    committed_at      TIMESTAMPTZ NOT NULL,  -- when it was in the tables
    status            VARCHAR NOT NULL,      -- applied, held (implausible, until a second response says the same), older, or failed
    reason            VARCHAR,               -- why it was not applied, in words
    sync_s            DOUBLE NOT NULL,       -- the five phases together
    api_s             DOUBLE,                -- fetching, until the response is safe; null if the process died in it
    load_s            DOUBLE NOT NULL,       -- reading the response and handing it to the database
    process_s         DOUBLE NOT NULL,       -- finding out what changed
    write_s           DOUBLE NOT NULL,       -- writing it; the commit and the closing of the file come after this row
    checks_s          DOUBLE NOT NULL,       -- reading the tables for checks
    lock_wait_s       DOUBLE NOT NULL,       -- waiting for another process that had the database open, which is in no phase
    contracts         BIGINT NOT NULL,       -- in the response
    listed            BIGINT NOT NULL,       -- of these, never seen before
    relisted          BIGINT NOT NULL,       -- of these, back after a delisting
    delisted          BIGINT NOT NULL,       -- gone with this response
    status_changes    BIGINT NOT NULL,       -- such as active to paused
    parameter_changes BIGINT NOT NULL,       -- fields that changed, over all contracts
    snapshots         BIGINT NOT NULL,       -- contracts whose price, funding or open interest moved
    missing           BIGINT NOT NULL,       -- listed contracts that the response did not have
    missing_digest    VARCHAR,               -- of their names: what a second response must match
    quarantined       BIGINT NOT NULL,       -- kinds of records and values that were refused
    calls             BIGINT NOT NULL,       -- requests that were sent
    retries           BIGINT NOT NULL,       -- of these, repeats after a failure
    bytes             BIGINT NOT NULL,       -- received, as compressed on the wire
);

CREATE TABLE ops.clusterings (
    clustered_at TIMESTAMPTZ NOT NULL,  -- when registry.token_events was put in the order of event, symbol and time
    rows         BIGINT NOT NULL,       -- how many rows it had; those that came since are behind them
    seconds      DOUBLE NOT NULL,       -- how long that took
);

-- Common questions. Each takes milliseconds (`python -m benchmarks.registry`).
CREATE VIEW registry.active_tokens AS
SELECT
    symbol, type, base_currency, quote_currency, settle_currency, is_new, listed_at, mark_price, index_price,
    last_trade_price, price_chg_pct, funding_fee_rate, open_interest, volume_of_24h, max_leverage, last_seen
FROM registry.tokens
WHERE status = 'active'
ORDER BY symbol;

CREATE VIEW registry.funding_leaders AS
SELECT
    symbol, funding_fee_rate, predicted_funding_fee_rate, next_funding_at,
    funding_fee_rate * 31557600000 / funding_rate_granularity AS funding_a_year, mark_price, open_interest, last_seen
FROM registry.tokens
WHERE status = 'active' AND funding_fee_rate IS NOT NULL
ORDER BY abs(funding_fee_rate) DESC, symbol;

CREATE MACRO registry.new_tokens(hours) AS TABLE
SELECT symbol, status, listed_at, first_seen, base_currency, quote_currency, mark_price, max_leverage
FROM registry.tokens
WHERE listed_at > now() - to_microseconds((3600000000 * hours)::BIGINT) AND status <> 'delisted'
ORDER BY listed_at DESC, symbol;

CREATE MACRO registry.delisted_since(moment) AS TABLE
SELECT symbol, observed_at AS delisted_at, old_value AS was
FROM registry.token_events
WHERE event = 'delisted' AND observed_at >= moment::TIMESTAMPTZ
ORDER BY delisted_at DESC, symbol;

CREATE MACRO registry.token_history(name) AS TABLE
SELECT observed_at, event, field, old_value, new_value, sync_id
FROM registry.token_events
WHERE symbol = name
ORDER BY observed_at DESC, event, field;

CREATE MACRO registry.listed_on(day) AS TABLE
SELECT symbol, event, happened_at AS listed_at
FROM registry.token_events
WHERE event IN ('listed', 'relisted')
    AND happened_at >= day::DATE::TIMESTAMP AT TIME ZONE 'UTC'
    AND happened_at < (day::DATE + 1)::TIMESTAMP AT TIME ZONE 'UTC'
ORDER BY listed_at, symbol;
