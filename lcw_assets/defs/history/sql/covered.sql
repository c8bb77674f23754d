-- What was requested of a series since $since, as stretches that do not touch.
--
-- Live Coin Watch restates its points for about a day. So points that were requested within a day of their
-- time are requested once more when they can be final. And before two empty responses of 100 days, with points in all
-- later ones, a coin was not listed: that time counts as requested, back to $first, in every series. (One empty response
-- may be a mistake.)
WITH daily AS (
    SELECT *, min(window_start) FILTER (outcome = 'points') OVER (PARTITION BY code) AS oldest
    FROM history.asked
    WHERE series = 'coin_daily' AND currency = $currency
),
unlisted AS (
    SELECT code, max(window_end) AS listed_at
    FROM daily
    WHERE outcome = 'empty' AND window_end <= oldest AND window_end - window_start >= INTERVAL 90 DAY
    GROUP BY code
    HAVING count(*) >= 2
),
own AS (
    SELECT
        code, window_start, window_end,
        date_trunc('day', asked_at - INTERVAL 25 HOUR) AS final_to,
        date_trunc('day', $now::TIMESTAMPTZ - INTERVAL 25 HOUR) AS may_be_final_to
    FROM history.asked
    WHERE series = $series AND currency = $currency AND asked_at >= $since AND asked_at <= $now
        AND outcome IN ('points', 'empty', 'coarse')
),
requested AS (
    SELECT code, window_start, least(window_end, final_to) AS window_end FROM own
    UNION ALL
    SELECT code, greatest(window_start, may_be_final_to), window_end FROM own
    UNION ALL
    SELECT code, $first, listed_at FROM unlisted WHERE starts_with($series, 'coin_')
),
grown AS (
    SELECT *, max(window_end) OVER (
        PARTITION BY code ORDER BY window_start, window_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_to
    FROM requested
    WHERE window_start < window_end
),
stretches AS (
    SELECT *, count(*) FILTER (covered_to IS NULL OR covered_to < window_start) OVER (
        PARTITION BY code ORDER BY window_start, window_end
    ) AS stretch
    FROM grown
)
SELECT code, min(window_start) AS span_start, max(window_end) AS span_end
FROM stretches
GROUP BY code, stretch
ORDER BY code, span_start
