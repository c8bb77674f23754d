"""The one mechanism of every load: what is fetched is spooled, stored once, and leaves facts."""
