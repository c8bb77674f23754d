"""How any call is made: session, deadline, retries, limits. Knows no API; leaves one fact per attempt."""
