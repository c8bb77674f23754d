"""DuckDB: the connection and its lock, the schema and its versions, and the merges."""
