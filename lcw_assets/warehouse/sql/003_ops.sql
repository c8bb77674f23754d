-- The facts: the only record of speed and health.
CREATE TABLE ops.cycles (
    cycle_id     VARCHAR NOT NULL,      -- its moment and the head of its run id; sorts by time
    run_id       VARCHAR NOT NULL,      -- the Dagster run
    scheduled_at TIMESTAMPTZ,           -- the tick; null for a manual run
    started_at   TIMESTAMPTZ NOT NULL,  -- when the pull began
    committed_at TIMESTAMPTZ NOT NULL,  -- when the cycle was in the tables
    cycle_s      DOUBLE,                -- from the tick (a manual or late run: its creation) to the commit
    queue_s      DOUBLE,                -- until the run's process existed
    start_s      DOUBLE,                -- until the pull began: imports, Dagster
    pull_s       DOUBLE,                -- fetching; null if the process died in it
    handover_s   DOUBLE,                -- from there until storing began: the time in the spool
    store_s      DOUBLE,                -- storing, without the wait for the lock
    lock_wait_s  DOUBLE,                -- waiting for another process that had the database open
    status       VARCHAR NOT NULL,      -- complete, partial or failed
    late_tick    BOOLEAN NOT NULL,      -- launched over a period after its tick, so measured from run creation
    calls        BIGINT NOT NULL,       -- requests that were sent
    retries      BIGINT NOT NULL,       -- of these, repeats after a failure
    hedges       BIGINT NOT NULL,       -- of these, second requests for the same response
    bytes        BIGINT NOT NULL,       -- received, as compressed on the wire
    coins_seen   BIGINT NOT NULL,       -- coins in the responses
    coins_changed BIGINT NOT NULL,      -- of these, with values that differ from the ones before
    quarantined  BIGINT NOT NULL,       -- records and responses refused
    source       VARCHAR NOT NULL,      -- lcw, or simulator for demo data
    currency     VARCHAR NOT NULL,      -- the requested currency
    missing      VARCHAR[] NOT NULL,    -- what was requested and did not come, with the reason
);

CREATE TABLE ops.calls (
    cycle_id    VARCHAR NOT NULL,      -- the cycle that made the call
    source      VARCHAR NOT NULL,      -- the source
    endpoint    VARCHAR NOT NULL,      -- such as coins/list
    request     JSON NOT NULL,         -- the body that was sent
    started_at  TIMESTAMPTZ NOT NULL,  -- when the request left
    waited_s    DOUBLE NOT NULL,       -- before that: back-off, pauses, a free slot
    latency_s   DOUBLE NOT NULL,       -- from the request to the last byte
    attempt     INTEGER NOT NULL,      -- 1 is the first
    hedge       BOOLEAN NOT NULL,      -- a second request for the same response
    http_status INTEGER,               -- null if there was no response
    bytes       BIGINT NOT NULL,       -- received, as compressed on the wire
    outcome     VARCHAR NOT NULL,      -- ok, timeout, connection, rate_limited, server_error, broken_body, rejected, unknown_code, deadline, superseded
    error       VARCHAR,               -- what went wrong, in words
);

CREATE TABLE ops.quarantine (
    cycle_id    VARCHAR NOT NULL,      -- the cycle that made the call
    source      VARCHAR NOT NULL,      -- the source
    endpoint    VARCHAR NOT NULL,      -- such as coins/list
    received_at TIMESTAMPTZ NOT NULL,  -- when its response came
    reason      VARCHAR NOT NULL,      -- why it is in no table
    payload     VARCHAR NOT NULL,      -- the record, or the whole response, as text
);
