"""Self-hosted real-time notifications and messaging for Python back ends."""

__version__ = "0.1.0"
