"""DuckDB: the connection and its lock, the schema and its versions, the merges, and the spool that stands before it."""
