"""The gateway: Caddy on one static file, confined to the folder of sockets where started by root."""
