"""Which names mean the same coin or market where. Pure functions over data; nothing is guessed from letters."""
