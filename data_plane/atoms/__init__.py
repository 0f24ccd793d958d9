"""What an atom is, and which ones are refused. Pure: no clock, no database."""
