"""What can be done, one verb a file; every face calls these."""
