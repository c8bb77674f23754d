-- The points of a batch of responses; which of them are invalid; and of the good ones a row a bucket: of several, that
-- of the finest response, of these the newest.
CREATE OR REPLACE TEMP TABLE points AS
WITH responses AS (
    SELECT
        unnest($codes::VARCHAR[]) AS code,
        unnest($received::TIMESTAMPTZ[]) AS observed_at,
        unnest($payloads::VARCHAR[]) AS payload,
        generate_subscripts($codes::VARCHAR[], 1) AS number
)
SELECT * EXCLUDE (payload), unnest(from_json(payload, '${structure}')${list}, recursive := true)
FROM responses;

CREATE OR REPLACE TEMP TABLE staged AS
WITH timed AS (
    SELECT *, date - lag(date) OVER (PARTITION BY number ORDER BY date) AS apart_ms
    FROM points
    WHERE ${good}
),
stepped AS (
    -- The usual distance. That of a single point is unknown; it must not count as a fine one.
    SELECT *, greatest(coalesce(median(apart_ms) OVER (PARTITION BY number) // 1000, $window_s), $step_s)::BIGINT
        AS response_step_s
    FROM timed
)
SELECT
    ${code} $currency AS currency,
    make_timestamptz(1000 * (date - date % (1000 * $step_s))) AS bucket,
    make_timestamptz(1000 * date) AS date,
    ${values}, response_step_s AS step_s, observed_at, $batch_id AS batch_id
FROM stepped
QUALIFY row_number() OVER (PARTITION BY code, bucket ORDER BY response_step_s, observed_at DESC, stepped.date) = 1
ORDER BY bucket, code;

SELECT number, count(*) AS points, count(*) FILTER (NOT (${good})) AS refused, median(apart_ms) // 1000 AS step_s
FROM (SELECT *, date - lag(date) OVER (PARTITION BY number ORDER BY date) AS apart_ms FROM points)
GROUP BY number;
