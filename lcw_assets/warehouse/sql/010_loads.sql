-- One row a load, of whatever kind: the one record of its speed and health. What only one kind has is in `detail`; the
-- tables that were there before stay as views, with their columns.
CREATE TABLE ops.loads (
    load_id      VARCHAR NOT NULL,      -- its moment and the head of its run id; sorts by time
    kind         VARCHAR NOT NULL,      -- fetch_cycle, token_registry_sync, or backfill (a stretch of one)
    run_id       VARCHAR NOT NULL,      -- the Dagster run
    source       VARCHAR NOT NULL,      -- the source: lcw, kucoin, and others for demo data and backfills
    currency     VARCHAR,               -- what money is in; null where nothing is
    scheduled_at TIMESTAMPTZ,           -- the tick; null for a manual run
    started_at   TIMESTAMPTZ NOT NULL,  -- when it began to fetch
    observed_at  TIMESTAMPTZ,           -- when the last response had come; null without one
    committed_at TIMESTAMPTZ NOT NULL,  -- when it was in the tables
    load_s       DOUBLE,                -- from the tick (a manual or late run: its creation) to the commit
    queue_s      DOUBLE,                -- until the run's process existed
    start_s      DOUBLE,                -- until the fetch began: imports, Dagster
    fetch_s      DOUBLE,                -- fetching; null if the process died in it
    handover_s   DOUBLE,                -- from there until storing began: the time in the spool
    store_s      DOUBLE,                -- storing, without the wait for the lock
    lock_wait_s  DOUBLE,                -- waiting for another process that had the database open
    status       VARCHAR NOT NULL,      -- complete, partial or failed
    late_tick    BOOLEAN NOT NULL,      -- launched over a period after its tick, so measured from run creation
    calls        BIGINT NOT NULL,       -- requests that were sent
    retries      BIGINT NOT NULL,       -- of these, repeats after a failure
    hedges       BIGINT NOT NULL,       -- of these, second requests for the same response
    bytes        BIGINT NOT NULL,       -- received, as compressed on the wire
    records_seen BIGINT NOT NULL,       -- records in the responses: coins, contracts, points
    records_changed BIGINT NOT NULL,    -- of these, with values that differ from the ones before
    quarantined  BIGINT NOT NULL,       -- records, values and responses refused
    missing      VARCHAR[] NOT NULL,    -- what was requested and did not come, with the reason
    detail       JSON NOT NULL,         -- what only this kind of load has
);

INSERT INTO ops.loads
SELECT
    cycle_id, 'fetch_cycle', run_id, source, currency, scheduled_at, started_at,
    started_at + to_microseconds((1000000 * pull_s)::BIGINT), committed_at, cycle_s, queue_s, start_s, pull_s, handover_s,
    store_s, lock_wait_s, status, late_tick, calls, retries, hedges, bytes, coins_seen, coins_changed, quarantined, missing,
    '{}'
FROM ops.cycles
UNION ALL
SELECT
    sync_id, 'token_registry_sync', run_id, source, NULL, scheduled_at, started_at, observed_at, committed_at,
    epoch(committed_at - coalesce(scheduled_at, started_at)), NULL, NULL, api_s, NULL,
    load_s + process_s + write_s + checks_s, lock_wait_s,
    CASE status WHEN 'failed' THEN 'failed' WHEN 'held' THEN 'partial' ELSE 'complete' END, false, calls, retries, 0,
    bytes, contracts, snapshots, quarantined, CASE WHEN status = 'failed' AND reason IS NOT NULL THEN [reason] ELSE [] END,
    json_object(
        'status', status, 'reason', reason, 'sync_s', sync_s, 'load_s', load_s,
        'process_s', process_s, 'write_s', write_s, 'checks_s', checks_s, 'listed', listed,
        'relisted', relisted, 'delisted', delisted, 'status_changes', status_changes,
        'parameter_changes', parameter_changes, 'snapshots', snapshots, 'missing', missing,
        'missing_digest', missing_digest
    )
FROM ops.syncs
UNION ALL
SELECT
    cycle_id, 'backfill', '', min(source), NULL, NULL, min(started_at), max(started_at), max(started_at), NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, 'complete', false, count(*) FILTER (outcome <> 'deadline'), count(*) FILTER (attempt > 1), 0,
    sum(bytes)::BIGINT, 0, 0, 0, [], '{}'
FROM ops.calls
WHERE source LIKE '%-history'
GROUP BY cycle_id
ORDER BY started_at;

DROP TABLE ops.cycles;
CREATE VIEW ops.cycles AS
SELECT
    load_id AS cycle_id, run_id, scheduled_at, started_at, committed_at, load_s AS cycle_s, queue_s, start_s,
    fetch_s AS pull_s, handover_s, store_s, lock_wait_s, status, late_tick, calls, retries, hedges, bytes,
    records_seen AS coins_seen, records_changed AS coins_changed, quarantined, source, currency, missing
FROM ops.loads
WHERE kind = 'fetch_cycle';

DROP TABLE ops.syncs;
CREATE VIEW ops.syncs AS
SELECT
    load_id AS sync_id, run_id, source, scheduled_at, started_at, observed_at, committed_at, detail ->> 'status' AS status, detail ->> 'reason' AS reason,
    (detail ->> 'sync_s')::DOUBLE AS sync_s, fetch_s AS api_s, (detail ->> 'load_s')::DOUBLE AS load_s,
    (detail ->> 'process_s')::DOUBLE AS process_s, (detail ->> 'write_s')::DOUBLE AS write_s,
    (detail ->> 'checks_s')::DOUBLE AS checks_s, lock_wait_s, records_seen AS contracts,
    (detail ->> 'listed')::BIGINT AS listed, (detail ->> 'relisted')::BIGINT AS relisted,
    (detail ->> 'delisted')::BIGINT AS delisted, (detail ->> 'status_changes')::BIGINT AS status_changes,
    (detail ->> 'parameter_changes')::BIGINT AS parameter_changes, (detail ->> 'snapshots')::BIGINT AS snapshots,
    (detail ->> 'missing')::BIGINT AS missing, detail ->> 'missing_digest' AS missing_digest, quarantined, calls, retries,
    bytes
FROM ops.loads
WHERE kind = 'token_registry_sync';
