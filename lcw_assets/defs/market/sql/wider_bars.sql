-- Bars from those that are one width narrower.
DELETE FROM market.coin_bars WHERE minutes = $minutes AND bucket >= $since AND bucket < $until;

INSERT INTO market.coin_bars BY NAME
SELECT
    code, currency, $minutes AS minutes, time_bucket(to_minutes($minutes), bars.bucket) AS bucket,
    arg_min_null(open, bars.bucket) AS open,
    max(high) AS high,
    min(low) AS low,
    arg_max_null(close, bars.bucket) AS close,
    arg_max_null(volume, bars.bucket) AS volume,
    sum(ticks)::BIGINT AS ticks
FROM market.coin_bars AS bars
WHERE minutes = $from_minutes AND bars.bucket >= $since AND bars.bucket < $until
GROUP BY code, currency, time_bucket(to_minutes($minutes), bars.bucket);
