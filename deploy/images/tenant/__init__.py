"""The tenant's server as an image, and the same set of packages as a folder for the process runtime."""
