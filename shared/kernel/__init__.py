"""Words that everybody uses."""
