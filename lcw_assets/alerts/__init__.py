"""Who is told what, and when. Knows no Dagster, and nothing of what an incident is about."""
