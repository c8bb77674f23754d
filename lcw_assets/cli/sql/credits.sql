-- The latest response with how many credits are left, and what the cycles since then may have spent. Only the
-- newest cycles are searched: raw.pulls is the largest table there is.
WITH newest AS (
    SELECT cycle_id, calls FROM ops.cycles ORDER BY cycle_id DESC LIMIT 100
)
SELECT
    (payload::JSON ->> '$.dailyCreditsRemaining')::BIGINT AS left_,
    (payload::JSON ->> '$.dailyCreditsLimit')::BIGINT AS limit_,
    received_at,
    (SELECT coalesce(sum(calls), 0)::BIGINT FROM newest WHERE newest.cycle_id > pulls.cycle_id) AS calls_since
FROM raw.pulls AS pulls
WHERE endpoint = 'credits' AND cycle_id >= (SELECT min(cycle_id) FROM newest) AND json_valid(payload)
ORDER BY received_at DESC
LIMIT 1
