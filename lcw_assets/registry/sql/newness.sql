UPDATE registry.tokens
SET is_new = NOT is_new
WHERE is_new <> (status <> 'delisted' AND listed_at > getvariable('observed_at') - getvariable('new_for'));
