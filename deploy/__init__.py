"""Running Loam: images, gateway, and the whole of it on one machine."""
