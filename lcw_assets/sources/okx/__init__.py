"""OKX, as a source of prices."""
