-- When each table was last brought up to date; null where nothing is in it yet. Backfills: until which moment.
SELECT 'market' AS part, 'coins' AS name, max(observed_at) AS moment FROM market.coins
UNION ALL
SELECT 'market', 'exchanges', max(observed_at) FROM market.exchanges
UNION ALL
SELECT 'market', 'overview', max(observed_at) FROM market.overview_ticks
UNION ALL
FROM (SELECT 'history', series, max(window_end) FROM history.asked WHERE begins GROUP BY series ORDER BY series)
UNION ALL
SELECT 'registry', 'tokens', max(last_seen) FROM registry.tokens
UNION ALL
SELECT 'reports', 'performance_72h', max(computed_at) FROM reports.performance_72h
UNION ALL
SELECT 'reports', 'performance_daily', max(computed_at) FROM reports.performance_daily
UNION ALL
SELECT 'reports', 'slow_cycles', max(found_at) FROM reports.slow_cycles
