"""What stands before both faces: hosts, origins, keys, bounds and the request's line in the log."""
