INSERT INTO market.coin_checkpoints BY NAME
SELECT $moment AS checkpoint_at, * FROM market.as_of($moment::TIMESTAMPTZ);
