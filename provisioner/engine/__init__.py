"""Runs programs of short steps under a lease, so that any worker may be killed at any moment."""
