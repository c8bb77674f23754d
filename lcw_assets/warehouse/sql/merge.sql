-- The latest values of all that was seen, and a tick for what changed. Rows that are not newer than the latest are
-- left out, unless those are from the future: then the clock was wrong, and they would be the latest until it comes.
-- Only what moves is written: the other columns would cost 0.1 ms each, every minute, when the file closes.
MERGE INTO ${latest} AS old
USING (
    SELECT unnest(row), observed_at, ? AS currency, ? AS cycle_id
    FROM (
        SELECT unnest(from_json(rows, '${structure}')) AS row, observed_at
        FROM (SELECT unnest(?::VARCHAR[]) AS rows, unnest(?::TIMESTAMPTZ[]) AS observed_at)
    )
) AS new
ON old.code = new.code AND old.currency = new.currency
WHEN MATCHED AND (new.observed_at > old.observed_at OR old.observed_at > ?) THEN UPDATE SET
    changed_at = CASE
        WHEN (${new_values}) IS DISTINCT FROM (${old_values}) OR old.observed_at > ? THEN new.observed_at
        ELSE old.changed_at
    END,
    ${assignments}
WHEN NOT MATCHED THEN
    INSERT (${tick_columns}, changed_at) VALUES (${new_tick_columns}, new.observed_at);

INSERT INTO ${ticks} BY NAME
SELECT ${tick_columns}
FROM ${latest}
WHERE cycle_id = ? AND changed_at = observed_at;
