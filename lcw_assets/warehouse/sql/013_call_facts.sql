-- What a server says of its limits, with the call that it said it to.
ALTER TABLE ops.calls ADD COLUMN retry_after_s DOUBLE;  -- seconds until the server wants the next call, as its response says, or after a ban its documentation; null if it did not say
ALTER TABLE ops.calls ADD COLUMN limits JSON;           -- the response's headers about limits, as they came, by name; null without any

-- A view has the columns that its table had when it was made.
CREATE OR REPLACE VIEW ops.cycle_calls AS
SELECT * FROM ops.calls WHERE source IN ('lcw', 'simulator');

COMMENT ON COLUMN ops.calls.outcome IS 'ok, timeout, connection, rate_limited, banned, blocked, maintenance, server_error, broken_body, rejected, unknown_code, deadline, superseded';
COMMENT ON COLUMN ops.calls.http_status IS '304 says that nothing has changed; null if there was no response';
COMMENT ON COLUMN raw.pulls.http_status IS '200; or 304 where it was the same as the one before to this request';
COMMENT ON COLUMN raw.pulls.payload IS 'the body, to the letter; empty with a 304';
