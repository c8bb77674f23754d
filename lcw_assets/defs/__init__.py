"""What Dagster sees: one folder a concept. A module that is put here is picked up by itself."""
