-- Builds bars from `$since` to before `$until` from ticks. A bar opens at the price that was valid when it began.
DELETE FROM market.coin_bars WHERE minutes = 1 AND bucket >= $since AND bucket < $until;

INSERT INTO market.coin_bars BY NAME
WITH ticks AS (
    SELECT code, currency, observed_at, rate, volume FROM market.as_of($since::TIMESTAMPTZ - INTERVAL 1 microsecond)
    UNION ALL
    SELECT code, currency, observed_at, rate, volume FROM market.coin_ticks
    WHERE observed_at >= $since AND observed_at < $until
),
path AS (
    SELECT *, lag(rate) OVER (PARTITION BY code, currency ORDER BY observed_at) AS before
    FROM ticks
)
SELECT
    code, currency, 1 AS minutes, time_bucket(INTERVAL 1 minute, observed_at) AS bucket,
    coalesce(arg_min_null(before, observed_at), arg_min_null(rate, observed_at)) AS open,
    greatest(open, max(rate)) AS high,
    least(open, min(rate)) AS low,
    arg_max_null(rate, observed_at) AS close,
    arg_max_null(volume, observed_at) AS volume,
    count(*) AS ticks
FROM path
WHERE observed_at >= $since
GROUP BY code, currency, bucket;
