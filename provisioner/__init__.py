"""Carries out what the registry asks for on one host: starts, feeds, watches and destroys tenants' servers."""
