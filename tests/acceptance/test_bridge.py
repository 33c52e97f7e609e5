"""Sixteen threads broadcast while stock clients connect and leave: everything arrives, once, in each user's order."""

import asyncio
import threading
from typing import Any

import pytest
import socketio

from tocsin.bridge import Receipt
from tocsin.domain.errors import NotInitialized, Overloaded, TocsinError
from tocsin.websocket_server import broadcast_order_event

THREADS = 16
CALLS = 10_000
USERS = [f"user{number}" for number in range(25)]
DEADLINE_S = 60
NAMESPACE = "/orders"


class Reader:
    """A stock client of one user that keeps its cursor, whatever its connection does."""

    def __init__(self, url: str, token: str, epoch: str) -> None:
        self._url = url
        self._auth: dict[str, Any] = {"token": token, "epoch": epoch, "last_seq": 0}
        self.events: list[dict[str, Any]] = []
        self.has_more = asyncio.Event()

    async def stay(self, count: int) -> None:
        """Connect, leave when ``count`` events are here in all."""
        client = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.1)
        client.on("order_updated", self._take, namespace=NAMESPACE)
        # A function, so that a connection that breaks by itself comes back with the cursor, too.
        await client.connect(
            self._url, auth=lambda: self._auth, namespaces=[NAMESPACE], transports=["websocket"], wait_timeout=20
        )
        async with asyncio.timeout(DEADLINE_S):
            while len(self.events) < count:
                self.has_more.clear()
                await self.has_more.wait()
        await client.shutdown()

    async def come_and_go(self, step: int, count: int) -> None:
        """Leave after every few events, and come back with the cursor."""
        for reached in range(step, count, step):
            await self.stay(min(max(reached, len(self.events) + 1), count))
        await self.stay(count)

    async def _take(self, data: dict[str, Any]) -> None:
        self._auth["last_seq"] = data["seq"]
        self.events.append(data)
        self.has_more.set()


def broadcast(thread: int) -> None:
    """Make one thread's part of the calls, to all users in turn."""
    for number in range(CALLS // THREADS):
        broadcast_order_event("order_updated", USERS[number % len(USERS)], {"thread": thread, "number": number})


@pytest.mark.slow
async def test_10_000_calls_from_16_threads(start_server):
    """All of them reach those who stay and those who come and go, in the order of each thread's calls."""
    server = await asyncio.to_thread(start_server)
    count = CALLS // len(USERS)
    epoch = server.service.store.epoch
    staying = [Reader(server.url, server.mint(user), epoch) for user in USERS]
    leaving = [Reader(server.url, server.mint(user), epoch) for user in USERS]
    readers = [asyncio.create_task(reader.stay(count)) for reader in staying]
    readers += [asyncio.create_task(reader.come_and_go(90, count)) for reader in leaving]
    threads = [threading.Thread(target=broadcast, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    await asyncio.gather(*readers)
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])

    for reader in staying + leaving:
        assert list(range(1, count + 1)) == [event["seq"] for event in reader.events]
        for thread in range(THREADS):
            numbers = [event["number"] for event in reader.events if event["thread"] == thread]
            assert sorted(numbers) == numbers
    total = {(event["thread"], event["number"]) for reader in staying for event in reader.events}
    assert CALLS == len(total)


def test_a_stop_commits_what_was_accepted(start_server, monkeypatch, tmp_path):
    """Threads that broadcast into the stop: what was accepted is in the log, the rest is refused, nobody hangs."""
    monkeypatch.delenv("TOCSIN_DATABASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    server = start_server()
    receipts: list[Receipt] = []
    refusals: list[Exception] = []
    is_busy = threading.Event()

    def call() -> None:
        try:
            while True:
                receipts.append(broadcast_order_event("order_updated", "bob", {"order_id": 1, "message": "-"}))
                if len(receipts) > 200:
                    is_busy.set()
        except TocsinError as error:
            refusals.append(error)

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    is_busy.wait()
    server.stop()
    for thread in threads:
        thread.join()

    assert {Overloaded, NotInitialized} >= set(map(type, refusals))
    assert len(threads) == len(refusals)
    seqs = [event["seq"] for receipt in receipts for event in receipt.wait()]
    assert list(range(1, len(receipts) + 1)) == sorted(seqs)
