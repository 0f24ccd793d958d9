"""What every HTTP face shares: problems and request ids."""
