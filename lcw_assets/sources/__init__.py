"""One module an API: its endpoints, its typed records, and which of its errors are transient."""
