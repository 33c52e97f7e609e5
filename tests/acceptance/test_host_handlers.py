"""Handlers of the host, over real sockets: their order, their threads, a handler that hangs, a server that stops."""

import asyncio
import itertools
import threading
import time

import pytest

from tests.acceptance.host_handlers import DEADLINE_S, GAME, Gate, joined
from tests.acceptance.wire_socket import eventually
from tocsin.domain.stream import EventDraft
from tocsin.domain.user_id import UserId

_numbers = itertools.count(100000)


@pytest.fixture
def user():
    """A user of the test's own."""
    return next(_numbers)


@pytest.fixture
def event():
    """An event name that no other test of the module has registered."""
    return f"event-{next(_numbers)}"


async def test_events_of_a_socket_are_handled_in_order_and_each_once(shared_server, user, event):
    """Sync handlers of one socket run one after another, however many come; twice sent is twice handled."""
    seen, at_once = [], []

    @shared_server.service.on(event, namespace=GAME)
    def on_event(data):
        at_once.append(data)
        time.sleep(0)
        seen.append(data)
        assert [data] == at_once
        at_once.clear()
        return data

    sent = [0, 0, *range(500)]
    async with joined(shared_server, user) as socket:
        acks = await asyncio.gather(*(socket.ask(GAME, event, number) for number in sent))

    assert sent == seen == [ack["result"] for ack in acks]


async def test_a_handler_that_hangs_blocks_nobody_else(shared_server, user, event):
    """Not other users, nor the socket's async and built-in events; its own sync ones wait."""
    gate, chat = Gate(), {"to_user_id": 1, "is_typing": True}
    shared_server.service.on(event, namespace=GAME)(gate)

    @shared_server.service.on(f"{event}-async", namespace=GAME)
    async def on_event_async():
        return "here"

    async with (
        joined(shared_server, user, GAME, "/chat") as socket,
        joined(shared_server, next(_numbers)) as other,
    ):
        # More than may be in flight: the server stops reading this connection and goes on when it can.
        hanging = [asyncio.create_task(socket.ask(GAME, event, number)) for number in range(40)]
        await eventually(lambda: gate.begun)
        assert {"ok": True, "result": "here"} == await socket.ask(GAME, f"{event}-async")
        assert {"ok": True} == await socket.ask("/chat", "typing", chat)
        hanging += [asyncio.create_task(socket.ask(GAME, event, number)) for number in range(40, 200)]
        assert {"ok": True, "result": "here"} == await other.ask(GAME, f"{event}-async")
        theirs = asyncio.create_task(other.ask(GAME, event, "other"))
        await eventually(lambda: "other" in gate.begun)

        assert [0, "other"] == gate.begun
        gate.open.set()
        acks = [await ack for ack in hanging]
        await theirs
    assert list(range(200)) == [ack["data"] for ack in acks] == [number for number in gate.ended if number != "other"]


async def test_too_many_events_for_the_threads_are_refused(start_server, user):
    """``overloaded`` with a time to wait; what has been taken is done, and later ones are taken again."""
    server, gate = start_server(host_threads=1), Gate()
    server.service.on("slow", namespace=GAME)(gate)
    server.service.realtime._host._threads._waiting = 1
    async with (
        joined(server, user) as one,
        joined(server, next(_numbers)) as two,
        joined(server, next(_numbers)) as three,
    ):
        first = asyncio.create_task(one.ask(GAME, "slow", 1))
        await eventually(lambda: gate.begun)
        second = asyncio.create_task(two.ask(GAME, "slow", 2))
        await eventually(lambda: len(server.service.realtime._host._threads._lanes) == 2)
        refused = await three.ask(GAME, "slow", 3)
        gate.open.set()
        acks = [await first, await second, await three.ask(GAME, "slow", 4)]

    assert (False, "overloaded", True) == (refused["ok"], refused["code"], refused["retryable"])
    assert refused["retry_after_s"]
    assert [1, 2, 4] == [ack["data"] for ack in acks] == gate.ended


async def test_a_client_that_is_killed_leaves_its_handler_to_finish(shared_server, user, event, caplog):
    """What was taken is handled, also what waits behind; the answers go nowhere and nothing is logged."""
    gate = Gate()
    shared_server.service.on(event, namespace=GAME)(gate)
    async with joined(shared_server, user) as socket:
        for number in range(3):
            await socket.emit(GAME, event, number)
        await eventually(lambda: gate.begun)
        room = shared_server.service.engine.room(GAME, UserId(str(user)))
        await eventually(lambda: len(shared_server.service.realtime._host._threads._lanes) == 1 and len(room) == 1)
        await socket.ask(GAME, "nonsense")  # all three have been read
        socket.websocket.transport.abort()
        await eventually(lambda: not shared_server.service.engine.room(GAME, UserId(str(user))))
        gate.open.set()
        await eventually(lambda: [0, 1, 2] == gate.ended)
        await eventually(lambda: not shared_server.service.realtime._host._threads._lanes)
    async with joined(shared_server, user) as socket:
        assert {"ok": True, "data": 3} == await socket.ask(GAME, event, 3)

    assert "" == caplog.text


# The end


async def test_a_drain_waits_for_a_handler_under_way(server, user):
    """The client hears ``server_draining`` on its namespace and gets the answer before the transport closes."""
    gate = Gate()
    server.service.on("slow", namespace=GAME)(gate)
    async with joined(server, user) as socket:
        answer = asyncio.create_task(socket.ask(GAME, "slow", 1))
        await eventually(lambda: gate.begun)
        drain = asyncio.create_task(asyncio.to_thread(lambda: server.call(server.service.drain())))
        draining = await socket.payload(GAME, "server_draining")
        assert not drain.done()
        gate.open.set()
        assert {"ok": True, "data": 1} == await answer
        await socket.closed.wait()
        await drain

    assert {"retry_in"} == draining.keys()


async def test_a_handler_may_publish_until_the_server_has_stopped(server, user):
    """One that runs during the stop commits what it hands over and gets its receipt."""
    gate, published = Gate(), []

    def publish(user_id, data):
        gate(user_id, data)
        draft = EventDraft("/sns", "publish_success", (UserId(str(user_id)),), b'{"post_id":1}')
        published.extend(server.service._bridge.hand_over(draft).wait(DEADLINE_S))

    server.service.on("slow", namespace=GAME)(publish)
    async with joined(server, user) as socket:
        await socket.emit(GAME, "slow", 1)
        await eventually(lambda: gate.begun)
        stop = asyncio.create_task(asyncio.to_thread(lambda: server.call(server.service.stop())))
        await eventually(lambda: server.service.realtime._host._threads._is_stopped)
        gate.open.set()
        await stop

    assert [1] == [event["seq"] for event in published]


async def test_a_handler_that_hangs_does_not_hold_up_a_drain(server, user, caplog):
    """Drain and stop end while it still runs; its thread keeps no process alive."""
    gate, waits = Gate(), []
    server.service.on("slow", namespace=GAME)(gate)
    async with joined(server, user) as socket:
        for number in range(3):
            await socket.emit(GAME, "slow", number)
        await eventually(lambda: gate.begun)
        await asyncio.to_thread(lambda: server.call(server.service.drain()))
        await socket.closed.wait()
        waits.append(list(gate.ended))
        stop = asyncio.create_task(asyncio.to_thread(server.stop))
        await eventually(lambda: server.service.realtime._host._threads._is_stopped)
        gate.open.set()
        await stop

    assert [[]] == waits
    assert [0] == gate.begun
    assert [
        thread for thread in threading.enumerate() if thread.name.startswith("tocsin-host") and not thread.daemon
    ] == []
