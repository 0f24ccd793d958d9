"""Pure tables of states: what may follow what."""
