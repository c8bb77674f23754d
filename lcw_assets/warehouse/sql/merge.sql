-- A tick for what changed; the latest row replaced for all that was seen. Replacing is cheaper than updating in place,
-- which compares 30 columns a row to find those that are as they were.
INSERT INTO ${ticks} BY NAME
SELECT ${tick_columns} FROM staged WHERE is_changed AND NOT is_late;

DELETE FROM ${latest} AS old
USING staged AS new
WHERE old.code = new.code AND old.currency = new.currency AND NOT new.is_late;

INSERT INTO ${latest} BY NAME
SELECT * EXCLUDE (is_changed, is_late, is_negative) FROM staged WHERE NOT is_late;
