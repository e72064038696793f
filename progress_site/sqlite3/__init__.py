"""SQLite backend with searches that ignore the case of all letters."""
