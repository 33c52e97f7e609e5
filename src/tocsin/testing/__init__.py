"""
For the tests of applications: a real server in the process of the tests, its users, and providers that push nothing.

``plugin`` has the fixtures of pytest, which need no import; ``server`` and ``client`` are what they give out. The
fake providers (``fcm``, ``web_push``, ``smtp``) work without pytest, too.
"""
