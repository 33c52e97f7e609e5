"""What SoftFactory does; nothing here knows of HTTP."""
