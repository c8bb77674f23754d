-- A cycle a minute until noon, of 4 to 15 s, one in an hour slower; 14 calls each, one in fifty of them failed.
INSERT INTO ops.loads BY NAME
SELECT
    strftime(started_at, '%Y%m%dT%H%M%S.000Z-') || lpad(n::VARCHAR, 8, '0') AS load_id,
    'fetch_cycle' AS kind,
    'run' AS run_id,
    started_at AS scheduled_at,
    started_at,
    started_at + to_seconds(cycle_s) AS committed_at,
    cycle_s AS load_s,
    1.0 AS queue_s, 0.5 AS start_s, cycle_s - 1.7 AS fetch_s, 0.1 AS handover_s, 0.1 AS store_s, 0.0 AS lock_wait_s,
    CASE n % 100 WHEN 0 THEN 'partial' WHEN 1 THEN 'failed' ELSE 'complete' END AS status,
    false AS late_tick,
    14 AS calls, 1 AS retries, 0 AS hedges, 255000 AS bytes,
    1000 AS records_seen, 700 AS records_changed, 0 AS quarantined,
    'simulator' AS source, 'USD' AS currency, []::VARCHAR[] AS missing, '{}' AS detail
FROM (
    SELECT
        n,
        TIMESTAMPTZ '2026-11-20 12:00:00+00' - to_minutes($cycles - n) AS started_at,
        3 + exp(2.5 * random()) + CASE WHEN n % 60 = 0 THEN 40 * random() ELSE 0 END AS cycle_s
    FROM range($cycles) AS r(n)
);

INSERT INTO ops.calls BY NAME
SELECT
    cycle_id, source, started_at,
    CASE k WHEN 0 THEN 'status' WHEN 1 THEN 'credits' WHEN 2 THEN 'overview' WHEN 13 THEN 'exchanges/list'
        ELSE 'coins/list' END AS endpoint,
    '{"offset":' || (k - 3) * 100 || '}' AS request,
    0.01 AS waited_s, 2 * random() AS latency_s, 1 AS attempt, false AS hedge, 200 AS http_status, 20000 AS bytes,
    CASE WHEN random() < 0.02 THEN 'server_error' ELSE 'ok' END AS outcome
FROM ops.cycles, range(14) AS r(k);

INSERT INTO ops.resources BY NAME
SELECT
    cycle_id, moment, started_at + to_seconds(second) AS measured_at,
    n * 32.0 AS cpu_busy_s, n * 70.0 AS cpu_idle_s, 0.5 AS load_1m, 250 AS memory_used, 1000 AS memory_total,
    n AS net_received, n AS net_sent
FROM (SELECT *, row_number() OVER () AS n FROM ops.cycles), (VALUES ('start', 0), ('end', 1)) AS moments(moment, second)
