"""The control plane: accounts, plans, subscriptions, substrates, keys."""
