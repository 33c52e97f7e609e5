"""
``tocsin prove``: kills a server of its own under load and counts what got lost.

The seed of the fault harness: kills and failpoints. Journals and the checker
are independent of which fault was injected.
"""
