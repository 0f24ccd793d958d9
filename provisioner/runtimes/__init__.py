"""How a tenant's server runs on this host: in a container, or as a plain process where there is no engine."""
