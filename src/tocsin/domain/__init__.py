"""Entities and rules of notifications, messages and streams; no I/O lives here."""
