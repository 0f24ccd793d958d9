"""Finding atoms for a question."""
