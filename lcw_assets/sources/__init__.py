"""One module an API: its endpoints, its typed records, and which of its errors pass and which stay."""
