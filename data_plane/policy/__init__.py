"""The policy in force, and who is asking."""
