"""Where backups are kept: a folder, or an S3-compatible store, behind one protocol."""
