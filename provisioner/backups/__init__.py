"""Copies of tenants' memories: encrypted with a key of each tenant, kept in a store, thinned out as they age."""
