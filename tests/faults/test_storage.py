"""Fault 5 and a held write lock: a database that can't commit is told, and costs nobody anything else."""

import asyncio
import sqlite3

import httpx
import pytest

from tests.acceptance.wire_socket import connected

NS = "/notifications"

pytestmark = pytest.mark.slow


def body(user, message="m"):
    return {"user_id": user, "type": "t", "title": "t", "message": message}


def rest(server):
    return httpx.AsyncClient(base_url=server.url, headers=server.bearer("b", "publish"), trust_env=False, timeout=20)


async def limit_pages(server, spare):
    """Let the database grow by a number of pages and no more."""

    def limit(transaction):
        (pages,) = transaction.row("PRAGMA page_count", ())
        transaction.row(f"PRAGMA max_page_count = {pages + spare}", ())

    await asyncio.to_thread(lambda: server.call(server.service.store._writer.run(limit)))


async def test_a_full_disk_refuses_writes_and_nothing_else(server):
    """507 and a problem as ack, never a false ack; reads and replays go on; room heals it without a restart."""
    token = server.mint(1)
    async with connected(server.url, NS, token) as socket, connected(server.url, "/chat", token) as chat:
        async with rest(server) as http:
            await limit_pages(server, 20)
            answers = [await http.post("/api/notifications", json=body(1, "x" * 4_000)) for _ in range(40)]
            message = {"to_user_id": 2, "message": "x" * 4_000}
            refused = [await chat.ask("/chat", "send_message", message) for _ in range(5)][-1]
            listed = await http.get("/api/notifications", headers=server.bearer(1), params={"limit": 200})
            async with connected(server.url, NS, token, epoch=server.service.store.epoch, last_seq=0) as late:
                replayed = await late.until(NS, "synced")
            await limit_pages(server, 10_000)
            healed = await http.post("/api/notifications", json=body(1))
            sent = await chat.ask("/chat", "send_message", {"to_user_id": 2, "message": "again"})
        accepted = [answer.json()["id"] for answer in answers if answer.status_code == 201]
        heard = [await socket.payload(NS, "notification") for _ in range(len(accepted) + 1)]

    assert 0 < len(accepted) < 40
    assert {201, 507} == {answer.status_code for answer in answers}
    assert (False, "storage_full", True) == (refused["ok"], refused["code"], refused["retryable"])
    assert accepted == [one["id"] for one in reversed(listed.json()["notifications"])]
    assert accepted == [payload["id"] for name, payload in replayed if name == "notification"]
    assert (201, True) == (healed.status_code, sent["ok"])
    assert [*accepted, healed.json()["id"]] == [payload["id"] for payload in heard]
    assert list(range(1, len(accepted) + 2)) == [payload["seq"] for payload in heard]


async def test_another_process_with_the_write_lock_is_waited_for_then_told(server):
    """Writers hear ``overloaded`` after the time-out, readers and sockets notice nothing, and no write is half done."""
    token = server.mint(1)
    path = server.settings.database_url.removeprefix("sqlite:///")
    other = sqlite3.connect(path, isolation_level=None)
    async with (
        connected(server.url, NS, token) as socket,
        connected(server.url, "/chat", token) as chat,
        rest(server) as http,
    ):
        first = await http.post("/api/notifications", json=body(1))
        other.execute("BEGIN IMMEDIATE")
        refused = [asyncio.create_task(http.post("/api/notifications", json=body(1))) for _ in range(5)]
        asked = asyncio.create_task(chat.ask("/chat", "send_message", {"to_user_id": 2, "message": "m"}))
        listed = await http.get("/api/notifications", headers=server.bearer(1))
        async with connected(server.url, NS, token, epoch=server.service.store.epoch, last_seq=0) as late:
            replayed = await late.until(NS, "synced")
        assert not any(task.done() for task in refused)
        answers, ack = await asyncio.gather(*refused), await asked
        other.execute("ROLLBACK")
        other.close()
        healed = await http.post("/api/notifications", json=body(1))
        heard = [await socket.payload(NS, "notification") for _ in range(2)]

    assert [(503, "overloaded")] * 5 == [(answer.status_code, answer.json()["code"]) for answer in answers]
    assert (False, "overloaded", True) == (ack["ok"], ack["code"], ack["retryable"])
    assert all("retry-after" in answer.headers for answer in answers)
    assert 1 == len(listed.json()["notifications"])
    assert ["notification", "synced"] == [name for name, _ in replayed]
    assert [first.json()["id"], healed.json()["id"]] == [payload["id"] for payload in heard]
    assert [1, 2] == [payload["seq"] for payload in heard]
