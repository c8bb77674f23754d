-- What describes rather than moves, for rows that came with it.
UPDATE ${latest} AS old
SET ${profile_assignments}
FROM (
    SELECT unnest(row)
    FROM (SELECT unnest(from_json(rows, '${profile_structure}')) AS row FROM (SELECT unnest(?::VARCHAR[]) AS rows))
) AS new
WHERE old.code = new.code AND old.currency = ?;
