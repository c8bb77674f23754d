"""Live Coin Watch."""
