"""Outside things behind the ports: databases, the bus, token verification."""
