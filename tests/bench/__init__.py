"""Measurements: `make bench`. They print figures with the machine; they never pass or fail."""
