-- What was asked of a series, as stretches that touch nothing else. What is unknown today may be listed tomorrow. Before
-- 100 days without a point, later than which there are some, a coin did not exist: that counts as asked, back to $first.
WITH edges AS (
    SELECT code, max(window_end) FILTER (outcome = 'points') AS newest
    FROM history.asked
    WHERE series = 'coin_daily' AND currency = $currency
    GROUP BY code
),
asked AS (
    SELECT code, window_start, window_end
    FROM history.asked
    WHERE series = $series AND currency = $currency AND outcome <> 'unknown_code'
    UNION ALL
    SELECT code, $first AS window_start, window_end
    FROM history.asked JOIN edges USING (code)
    WHERE series = 'coin_daily' AND currency = $currency AND outcome = 'empty' AND starts_with($series, 'coin_')
        AND window_end - window_start >= INTERVAL 90 DAY AND window_end < newest
),
grown AS (
    SELECT *, max(window_end) OVER (
        PARTITION BY code ORDER BY window_start, window_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS covered_to
    FROM asked
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
