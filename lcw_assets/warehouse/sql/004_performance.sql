-- How the machine was, what was reported, and to which channels.
CREATE SCHEMA reports;

CREATE TABLE ops.resources (
    cycle_id       VARCHAR NOT NULL,      -- the cycle
    moment         VARCHAR NOT NULL,      -- start (before its first call) or end (before its commit)
    measured_at    TIMESTAMPTZ NOT NULL,  -- when this was measured
    cpu_busy_s     DOUBLE,                -- seconds that all processors together have worked since the machine booted
    cpu_idle_s     DOUBLE,                -- and idled; between two moments, busy / (busy + idle) is the CPU in use
    load_1m        DOUBLE,                -- processes that wanted a processor, mean over a minute
    memory_used    BIGINT,                -- bytes of the machine's memory that are in use
    memory_total   BIGINT,                -- bytes that it has
    process_memory BIGINT,                -- bytes that the cycle's process holds
    net_received   BIGINT,                -- bytes received since boot, over all interfaces
    net_sent       BIGINT,                -- bytes sent
    connections    BIGINT,                -- internet connections that the cycle's process has open
    spool_depth    BIGINT,                -- cycles in the spool, this one included
    database_bytes BIGINT,                -- size of the database file
);

CREATE TABLE ops.alerts (
    alert_id    VARCHAR NOT NULL,      -- its moment and its incident; sorts by time
    incident    VARCHAR NOT NULL,      -- what it is about, such as cycle_time: the same as long as it lasts
    kind        VARCHAR NOT NULL,      -- opened, escalated, repeated or recovered
    severity    VARCHAR NOT NULL,      -- warning or critical
    raised_at   TIMESTAMPTZ NOT NULL,  -- when it was decided
    since       TIMESTAMPTZ NOT NULL,  -- since when the incident lasts
    what        VARCHAR NOT NULL,      -- what is wrong, in words
    cause       VARCHAR,               -- the likely cause, as far as the facts show
    run_id      VARCHAR,               -- the Dagster run that it was seen in
    link        VARCHAR,               -- that run in the UI
    delivered   VARCHAR[] NOT NULL,    -- channels that took it, by number and kind: never an address
    undelivered VARCHAR[] NOT NULL,    -- channels that did not, with the reason
);

CREATE TABLE reports.performance_72h (
    window_start TIMESTAMPTZ NOT NULL,  -- the first moment of the window
    window_end   TIMESTAMPTZ NOT NULL,  -- the first moment after it
    computed_at  TIMESTAMPTZ NOT NULL,  -- when this was computed
    cycles       BIGINT NOT NULL,       -- cycles that began in the window, whatever came of them
    complete     BIGINT NOT NULL,       -- of these, with every response
    partial      BIGINT NOT NULL,       -- with some
    failed       BIGINT NOT NULL,       -- with none
    untimed      BIGINT NOT NULL,       -- without a usable time: killed, or the clock went back
    mean_s       DOUBLE,                -- seconds from tick to commit; null if there was no cycle
    median_s     DOUBLE,                -- half were faster
    fastest_s    DOUBLE,                -- the fastest cycle
    slowest_s    DOUBLE,                -- the slowest
    p95_s        DOUBLE,                -- 95 % were faster, interpolated
    p99_s        DOUBLE,                -- 99 % were faster, interpolated
    fast         DOUBLE,                -- share of cycles in the fast band
    normal       DOUBLE,                -- share in the normal band
    slow         DOUBLE,                -- share in the slow band
    very_slow    DOUBLE,                -- share beyond it
    calls        BIGINT NOT NULL,       -- requests that began in the window
    error_rate   DOUBLE,                -- share of these that brought no response
    targets      JSON NOT NULL,         -- each SLA target: set, target, value, passed
);

CREATE TABLE reports.performance_daily (
    window_start TIMESTAMPTZ NOT NULL,  -- the day, from 00:00 UTC
    window_end   TIMESTAMPTZ NOT NULL,  -- to the next 00:00 UTC
    computed_at  TIMESTAMPTZ NOT NULL,  -- when this was computed
    cycles       BIGINT NOT NULL,       -- cycles that began in the window, whatever came of them
    complete     BIGINT NOT NULL,       -- of these, with every response
    partial      BIGINT NOT NULL,       -- with some
    failed       BIGINT NOT NULL,       -- with none
    untimed      BIGINT NOT NULL,       -- without a usable time: killed, or the clock went back
    mean_s       DOUBLE,                -- seconds from tick to commit; null if there was no cycle
    median_s     DOUBLE,                -- half were faster
    fastest_s    DOUBLE,                -- the fastest cycle
    slowest_s    DOUBLE,                -- the slowest
    p95_s        DOUBLE,                -- 95 % were faster, interpolated
    p99_s        DOUBLE,                -- 99 % were faster, interpolated
    fast         DOUBLE,                -- share of cycles in the fast band
    normal       DOUBLE,                -- share in the normal band
    slow         DOUBLE,                -- share in the slow band
    very_slow    DOUBLE,                -- share beyond it
    calls        BIGINT NOT NULL,       -- requests that began in the window
    error_rate   DOUBLE,                -- share of these that brought no response
    targets      JSON NOT NULL,         -- each SLA target: set, target, value, passed
);

CREATE TABLE reports.slow_cycles (
    cycle_id   VARCHAR NOT NULL,      -- the cycle
    run_id     VARCHAR NOT NULL,      -- the Dagster run
    started_at TIMESTAMPTZ NOT NULL,  -- when its pull began
    cycle_s    DOUBLE NOT NULL,       -- seconds from tick to commit
    status     VARCHAR NOT NULL,      -- complete, partial or failed
    cause      VARCHAR NOT NULL,      -- why it was slow, in words
    found_at   TIMESTAMPTZ NOT NULL,  -- when a report found it
);
