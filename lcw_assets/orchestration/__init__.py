"""Assets, checks and waits as Dagster knows them: what every concept shares that is no load."""
