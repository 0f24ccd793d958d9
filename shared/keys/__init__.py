"""API keys: their text, their digest, and the verdict about one that was presented."""
