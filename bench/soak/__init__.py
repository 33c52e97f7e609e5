"""
Thousands of clients that come and go for half an hour: ``python -m bench.soak``.

The server is a process of its own that writes down how it is (``server``); the
clients are processes that keep count of what they show (``swarm``, ``tally``);
this process posts (``posting``), watches and judges (``judge``).
"""
