"""Numbered, forward-only steps from one schema to the next."""
