"""PostgreSQL backend with a lock timeout that works with poolers."""
