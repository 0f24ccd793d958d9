"""The command `loam`."""
