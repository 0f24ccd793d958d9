"""The product's name, in one place: it is a working name."""

from typing import Final

NAME: Final = "loam"
"""In paths, environment variables, labels and identifiers."""

DISPLAY_NAME: Final = "Loam"
"""In sentences for people."""

VERSION: Final = "0.1.0"
