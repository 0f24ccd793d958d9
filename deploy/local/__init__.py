"""The whole of Loam on one machine: embedded services, programs and their start, stop and health."""
