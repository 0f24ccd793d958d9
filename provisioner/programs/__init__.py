"""What can happen to a substrate on this host, one life event a file."""
