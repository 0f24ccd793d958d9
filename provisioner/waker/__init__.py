"""Answers for a tenant's server that the gateway could not reach. Works with everything else off."""
