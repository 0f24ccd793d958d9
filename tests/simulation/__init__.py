"""The engine in a world that breaks on purpose, with time and chance in our hands: see README.md."""
