"""The control plane's database: one module a table, functions that take the transaction."""
