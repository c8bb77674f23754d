-- The values that move, of every contract of the response: a JSON object of columns a chunk, which has each name once.
CREATE OR REPLACE TEMP TABLE response AS
SELECT
    * EXCLUDE (observed_at),
    date_trunc('second', observed_at + to_microseconds((1000 * next_funding_rate_time + 500000)::BIGINT))
        AS next_funding_at
FROM (
    SELECT getvariable('observed_at') AS observed_at, ${lists}
    FROM (SELECT from_json(chunk, '${structure}') AS lists FROM (SELECT unnest(?::VARCHAR[]) AS chunk))
);
