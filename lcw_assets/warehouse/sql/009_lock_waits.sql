-- Who kept a load out of the database: a wait whose holder nobody wrote down cannot be explained afterwards.
CREATE TABLE ops.lock_waits (
    load_id   VARCHAR NOT NULL,      -- the cycle or sync that waited
    waited_at TIMESTAMPTZ NOT NULL,  -- when it began to wait
    waited_s  DOUBLE NOT NULL,       -- for how long
    holder    VARCHAR,               -- the program that had the file open for most of that; null if the system does not say
    pid       BIGINT,                -- its process
    opened    BOOLEAN NOT NULL,      -- false: the load gave up, and stayed in the spool for a later one to store
);

-- How busy the machine was from the start of a cycle to its end, for cycles with both measurements in a span of time. Of
-- counters that went back nothing is known: the machine was booted in between.
CREATE MACRO ops.machine_during(since, until) AS TABLE
SELECT
    cycle_id,
    CASE WHEN busy_s >= 0 AND idle_s >= 0 THEN busy_s / nullif(busy_s + idle_s, 0) END AS cpu,
    CASE WHEN busy_s >= 0 AND idle_s >= 0 AND lasted_s > 0 THEN (busy_s + idle_s) / lasted_s END AS processors,
    load,
    memory
FROM (
    SELECT
        cycle_id,
        max(cpu_busy_s) FILTER (moment = 'end') - max(cpu_busy_s) FILTER (moment = 'start') AS busy_s,
        max(cpu_idle_s) FILTER (moment = 'end') - max(cpu_idle_s) FILTER (moment = 'start') AS idle_s,
        date_diff('microsecond', min(measured_at), max(measured_at)) / 1e6 AS lasted_s,
        max(load_1m) AS load,
        max(memory_used / memory_total) AS memory
    FROM ops.resources
    WHERE measured_at >= since AND measured_at < until
    GROUP BY cycle_id
);
