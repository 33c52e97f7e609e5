"""
The bus of several processes, through Redis or Valkey.

``bus`` is the port's adapter; ``outbox`` and ``inbox`` publish to a server and listen to it, ``link`` keeps
their connections, ``places`` knows where the servers are, ``envelope`` what a message looks like, ``channels``
which one it goes over.
"""

from tocsin.adapters.bus_redis.bus import RedisBus

__all__ = ["RedisBus"]
