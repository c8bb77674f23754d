-- The latest by its moment, not by when it was stored.
FROM ops.cycles ORDER BY cycle_id DESC LIMIT 1
