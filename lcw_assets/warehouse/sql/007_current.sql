-- What is listed now. The tables of latest rows keep what left the pages that a cycle requests, with the rank and the
-- price that it had. Current is what the last complete cycle brought, and any after it; all, where none was complete yet.
-- (Names of cycles sort by time. One that was stamped by a clock that was ahead is ignored.)
CREATE VIEW market.current_coins AS
WITH newest AS (
    SELECT currency, max(cycle_id) AS cycle_id FROM market.coins GROUP BY currency
),
complete AS (
    SELECT currency, max(cycles.cycle_id) AS since
    FROM ops.cycles AS cycles JOIN newest USING (currency)
    WHERE status = 'complete' AND cycles.cycle_id <= newest.cycle_id AND started_at <= now() + INTERVAL 1 MINUTE
    GROUP BY currency
)
SELECT coins.* FROM market.coins AS coins LEFT JOIN complete USING (currency)
WHERE since IS NULL OR cycle_id >= since;

CREATE VIEW market.current_exchanges AS
WITH newest AS (
    SELECT currency, max(cycle_id) AS cycle_id FROM market.exchanges GROUP BY currency
),
complete AS (
    SELECT currency, max(cycles.cycle_id) AS since
    FROM ops.cycles AS cycles JOIN newest USING (currency)
    WHERE status = 'complete' AND cycles.cycle_id <= newest.cycle_id AND started_at <= now() + INTERVAL 1 MINUTE
    GROUP BY currency
)
SELECT exchanges.* FROM market.exchanges AS exchanges LEFT JOIN complete USING (currency)
WHERE since IS NULL OR cycle_id >= since;
