"""Many devices: the same study on every board, over the system's own ssh."""
