-- The machine at the start and at the end of the cycles of a window. The CPU is that since the measurement before:
-- at a start, between two cycles; at an end, during one.
WITH moments AS (
    SELECT
        *,
        cpu_busy_s - lag(cpu_busy_s) OVER in_time AS busy_s,
        cpu_idle_s - lag(cpu_idle_s) OVER in_time AS idle_s,
        net_received - lag(net_received) OVER in_time AS received,
        net_sent - lag(net_sent) OVER in_time AS sent
    FROM ops.resources
    WHERE measured_at >= $start AND measured_at < $end
    WINDOW in_time AS (ORDER BY measured_at, moment DESC)
)
SELECT
    moment,
    count(*) AS cycles,
    -- Counters that went back are those of a machine that was booted.
    avg(busy_s / nullif(busy_s + idle_s, 0)) FILTER (busy_s >= 0 AND idle_s >= 0) AS cpu_mean,
    max(busy_s / nullif(busy_s + idle_s, 0)) FILTER (busy_s >= 0 AND idle_s >= 0) AS cpu_most,
    avg(load_1m) AS load_mean,
    max(load_1m) AS load_most,
    avg(memory_used / memory_total) AS memory_mean,
    max(memory_used / memory_total) AS memory_most,
    avg(process_memory) AS process_mean,
    max(process_memory) AS process_most,
    avg(received) FILTER (received >= 0) AS received_mean,
    max(received) FILTER (received >= 0) AS received_most,
    avg(sent) FILTER (sent >= 0) AS sent_mean,
    max(sent) FILTER (sent >= 0) AS sent_most,
    avg(connections) AS connections_mean,
    max(connections) AS connections_most,
    avg(spool_depth) AS spool_mean,
    max(spool_depth) AS spool_most,
    avg(database_bytes) AS database_mean,
    max(database_bytes) AS database_most
FROM moments
GROUP BY moment
ORDER BY moment DESC
