-- The responses of sources, as they came.
CREATE SCHEMA raw;

CREATE TABLE raw.pulls (
    cycle_id     VARCHAR NOT NULL,      -- the cycle that made the call
    source       VARCHAR NOT NULL,      -- the source: lcw, or simulator for demo data
    endpoint     VARCHAR NOT NULL,      -- such as coins/list
    request      JSON NOT NULL,         -- the body that was sent
    requested_at TIMESTAMPTZ NOT NULL,  -- when the request left
    received_at  TIMESTAMPTZ NOT NULL,  -- when the last byte had arrived
    http_status  INTEGER NOT NULL,      -- 200 for every response that is kept
    payload      VARCHAR NOT NULL,      -- the body, to the letter
);
