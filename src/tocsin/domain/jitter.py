"""The spread of waits, so that clients and nodes do not come back in step."""

from random import Random

jitter = Random().uniform  # noqa: S311 - spreads load, hides nothing
"""Return a random float between two bounds.

It draws from a generator of Tocsin's own: a host that seeds the global
:mod:`random` gets the same numbers whether Tocsin runs in its process or not.
Thread-safe, as :meth:`random.Random.random` is one step under the GIL.
"""
