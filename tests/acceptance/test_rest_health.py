"""Probes over a real connection."""

import httpx


def test_health_is_open(server):
    """Anybody may ask whether the event loop turns."""
    answer = httpx.get(f"{server.url}/healthz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}
