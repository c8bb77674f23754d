-- How many cycles took how long, in steps of a tenth of a power of ten; the lower end of each step, in seconds.
SELECT 10 ** (step / 10) AS from_s, 10 ** ((step + 1) / 10) AS to_s, cycles
FROM (
    SELECT floor(10 * log10(greatest(cycle_s, 0.1))) AS step, count(*) AS cycles
    FROM ops.cycles
    WHERE started_at >= $start AND started_at < $end AND cycle_s >= 0 AND isfinite(cycle_s)
    GROUP BY step
)
ORDER BY from_s
