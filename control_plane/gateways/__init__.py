"""What is outside: the doorbell, mail, payments."""
