-- Rows older than the latest ones: two cycles overlapped, and the one that asked later was stored first. The latest
-- stays; the row becomes a tick if it differs from the tick before its own time. This searches the whole history,
-- so it runs only when there are such rows.
INSERT INTO ${ticks} BY NAME
SELECT ${late_columns}
FROM (SELECT * FROM staged WHERE is_late) AS new
ASOF LEFT JOIN ${ticks} AS old
    ON new.code = old.code AND new.currency = old.currency AND new.observed_at >= old.observed_at
WHERE old.code IS NULL OR (${new_values}) IS DISTINCT FROM (${old_values});
