"""Container images: pulled where a registry answers, built from the distribution's packages where none does."""
