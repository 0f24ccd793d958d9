"""What more than one program needs: words, keys, plans, contracts, and the registry's SQL."""
