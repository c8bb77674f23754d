-- Keeps restated values first. Reads only the time of the batch.
INSERT INTO history.revisions BY NAME
SELECT '${series}' AS series, old.* EXCLUDE (batch_id), new.observed_at AS replaced_at
FROM ${table} AS old JOIN staged AS new USING (${key})
WHERE old.bucket BETWEEN $low AND $high
    AND new.step_s <= old.step_s AND new.observed_at > old.observed_at
    AND (${new_values}) IS DISTINCT FROM (${old_values});

MERGE INTO ${table} AS old
USING staged AS new
ON ${on} AND old.bucket BETWEEN $low AND $high
WHEN MATCHED AND new.step_s <= old.step_s AND new.observed_at > old.observed_at
    AND (new.step_s, ${new_values}) IS DISTINCT FROM (old.step_s, ${old_values})
    THEN UPDATE SET ${assignments}
WHEN NOT MATCHED THEN INSERT BY NAME;
