-- What moves, of every contract of the answer: a JSON object of columns a chunk, whose names are told once and not by
-- each contract.
CREATE OR REPLACE TEMP TABLE answer AS
SELECT
    * EXCLUDE (observed_at),
    date_trunc('second', observed_at + to_microseconds((1000 * next_funding_rate_time + 500000)::BIGINT))
        AS next_funding_at
FROM (
    SELECT getvariable('observed_at') AS observed_at, ${lists}
    FROM (SELECT from_json(chunk, '${structure}') AS lists FROM (SELECT unnest(?::VARCHAR[]) AS chunk))
);
