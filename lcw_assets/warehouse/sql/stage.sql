-- Unpack the pages of one merge, each row beside what it changes. One statement: a second one costs a millisecond.
CREATE OR REPLACE TEMP TABLE staged AS
SELECT
    new.*,
    old.code IS NULL OR (${new_values}) IS DISTINCT FROM (${old_values}) AS is_changed,
    coalesce(old.observed_at > new.observed_at, false) AS is_late,
    coalesce(least(${new_values}) < 0, false) AS is_negative,
    CASE WHEN is_changed THEN new.observed_at ELSE old.changed_at END AS changed_at
FROM (
    SELECT unnest(row), observed_at, ? AS currency, ? AS cycle_id
    FROM (
        SELECT unnest(from_json(rows, '${structure}')) AS row, observed_at
        FROM (SELECT unnest(?::VARCHAR[]) AS rows, unnest(?::TIMESTAMPTZ[]) AS observed_at)
    )
) AS new
LEFT JOIN ${latest} AS old USING (code, currency);
