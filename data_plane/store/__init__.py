"""The tenant's SQLite database: one module a table."""
