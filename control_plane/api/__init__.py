"""The JSON face, one resource a file."""
