"""``TOCSIN_WORKERS``: several server processes on one port, which one process starts, replaces and stops."""

from tocsin.cli.workers.supervisor import supervise

__all__ = ["supervise"]
