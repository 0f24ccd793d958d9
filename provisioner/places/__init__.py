"""A tenant's folders on this host: made, filled, locked and removed, trusting nothing that a tenant can write."""
