"""PostgreSQL with a lock timeout that poolers let pass."""
