"""Who is alerted, of what, and when. Imports no Dagster, and is independent of what an incident is about."""
