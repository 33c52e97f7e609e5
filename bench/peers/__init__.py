"""The programs of the servers under test; ``bench.servers`` says how each is started."""
