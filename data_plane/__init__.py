"""The tenant's server: memory over REST and MCP, on two unix sockets."""
