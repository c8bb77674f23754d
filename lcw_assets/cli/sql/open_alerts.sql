-- Incidents that are not over. One whose last alert is older than `$repeated_since` is watched by nothing any more: it
-- would have been repeated.
SELECT incident, severity, since
FROM ops.alerts
QUALIFY row_number() OVER (PARTITION BY incident ORDER BY raised_at DESC, alert_id DESC) = 1
    AND kind NOT IN ('recovered', 'news') AND raised_at >= $repeated_since
ORDER BY severity = 'critical' DESC, since
