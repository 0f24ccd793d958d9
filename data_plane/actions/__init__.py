"""What can be done with the memory: one verb a file, called by REST and MCP alike."""
