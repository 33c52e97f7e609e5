"""Fake providers on loopback, for tests of applications: nothing leaves this machine."""
