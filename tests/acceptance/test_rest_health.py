"""Probes and the stop over a real connection."""

import threading

import httpx
import pytest

from tocsin.domain.errors import Overloaded, StorageFull


def test_health_is_open(shared_server):
    """Anybody may ask whether the event loop turns."""
    answer = shared_server.http.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_serving_node_is_ready(shared_server):
    """A node that takes work says so."""
    answer = shared_server.http.get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_a_draining_node_is_not_ready_and_still_answers(server):
    """From the first moment of a drain readiness is off; what is asked is still answered."""
    server.call(server.service.drain())
    ready = server.http.get("/readyz")

    assert ready.status_code == 503
    assert ready.json()["code"] == "not_ready"
    assert int(ready.headers["retry-after"]) > 0
    assert server.http.get("/healthz").status_code == 200
    assert server.http.get("/api/notifications", headers=server.bearer(7)).status_code == 200


@pytest.mark.parametrize("refusal", [StorageFull("the disk is full"), Overloaded("busy", retry_after_s=1)])
def test_a_node_whose_database_cannot_commit_is_not_ready(server, monkeypatch, refusal):
    """Readiness asks the database for a commit."""

    async def ping():
        raise refusal

    monkeypatch.setattr(server.service.store, "ping", ping)
    answer = server.http.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["code"] == "not_ready"


@pytest.mark.parametrize(
    ("refusal", "status", "retry_after"),
    [(Overloaded("busy", retry_after_s=0.2), 503, "1"), (StorageFull("full", retry_after_s=10), 507, "10")],
)
def test_a_write_that_was_not_accepted_says_so(server, monkeypatch, refusal, status, retry_after):
    """An overloaded or full store is told to the publisher, with the time to come back."""

    async def refuse(*_):
        raise refusal

    monkeypatch.setattr(server.service.store, "create_notifications", refuse)
    body = {"user_id": 7, "type": "t", "title": "t", "message": "m"}
    answer = server.http.post("/api/notifications", headers=server.bearer("b", "publish"), json=body)

    assert answer.status_code == status
    assert answer.headers["retry-after"] == retry_after
    assert answer.json()["retryable"] is True


def test_a_fault_of_the_server_shows_nothing_of_it(server, monkeypatch, caplog):
    """A bug is answered 500 as a problem without its text, and logged."""

    async def fail(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(server.service.store, "notification_stats", fail)
    answer = server.http.get("/api/notifications/stats", headers=server.bearer(7))

    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "internal_error"
    assert "secret detail" not in answer.text
    assert "secret detail" in caplog.text


def test_what_was_answered_outlives_the_stop(start_server, tmp_path):
    """Posts that race with a stop are answered and kept, or not answered 2xx."""
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    server = start_server(database_url=url)
    headers = server.bearer("b", "publish")
    accepted = []

    def post_until_it_fails():
        number = 0
        while True:
            number += 1
            body = {"user_id": "x", "type": "t", "title": f"{number}", "message": "m"}
            try:
                answer = server.http.post("/api/notifications", headers=headers, json=body)
            except httpx.HTTPError:
                return
            if answer.status_code == 201:
                accepted.append(answer.json()["id"])

    thread = threading.Thread(target=post_until_it_fails)
    thread.start()
    while len(accepted) < 20:
        assert thread.is_alive()
        thread.join(0.01)
    server.service.stop_serving()
    thread.join(20)
    server.stop()
    second = start_server(database_url=url)
    listed = second.http.get("/api/notifications", headers=second.bearer("x"), params={"limit": 200}).json()
    kept = {notification["id"] for notification in listed["notifications"]}

    assert set(accepted[-150:]) <= kept
