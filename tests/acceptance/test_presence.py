"""Presence and signs of writing over real sockets: who hears of whom, how often, and who never does."""

import asyncio
import json
import threading
import time
from uuid import uuid4

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from tests.acceptance.wire_socket import PRESENCE, connected, eventually, wire
from tocsin.application import presence as module
from tocsin.domain.message import MessageDraft
from tocsin.domain.user_id import UserId
from tocsin.models import ChatMessage


@pytest.fixture
def users():
    return [f"{name}-{uuid4()}" for name in ("alice", "bob", "eve")]


@pytest.fixture
def meet(shared_server):
    def meet(one, other):
        draft = MessageDraft(from_user_id=UserId(one), to_user_id=UserId(other), message="hello")
        return shared_server.call(shared_server.service.chat.send(draft))

    return meet


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr(module, "OFFLINE_S", 0.3)


def sees(socket, namespace="/chat"):
    queue = socket.events[namespace]
    return [(name, payload["user_id"]) for name, payload in queue._queue if name in PRESENCE]


async def change(socket, namespace="/chat"):
    """Return the next change of presence."""
    while True:
        name, payload = await socket.next(namespace)
        if name in PRESENCE:
            return name, payload["user_id"]


async def test_partners_hear_of_each_other_and_nobody_else_does(shared_server, users, meet, soon):
    """Once whatever the devices; a page that comes later is told who is there; who is a stranger sees nothing."""
    alice, bob, eve = users
    meet(alice, bob)
    url, mint = shared_server.url, shared_server.mint
    async with connected(url, "/chat", mint(alice)) as hers, connected(url, "/chat", mint(eve)) as stranger:
        async with connected(url, "/sns", mint(bob)), connected(url, "/chat", mint(bob)) as his:
            assert ("user_online", bob) == await change(hers)
            assert ("user_online", alice) == await change(his)
            async with wire(url) as later:
                await later.connect("/sns", {"token": mint(alice)})
                assert ("user_online", bob) == await change(later, "/sns")
        assert ("user_offline", bob) == await change(hers)
        await asyncio.sleep(0.5)
        assert [] == sees(hers)
        assert [] == sees(stranger)


async def test_a_reload_does_not_flicker(shared_server, users, meet):
    """Away for less than four seconds is not away."""
    alice, bob, _ = users
    meet(alice, bob)
    url, mint = shared_server.url, shared_server.mint
    async with connected(url, "/chat", mint(alice)) as hers:
        async with connected(url, "/chat", mint(bob)):
            assert ("user_online", bob) == await change(hers)
        await asyncio.sleep(0.5)
        async with connected(url, "/chat", mint(bob)):
            await asyncio.sleep(0.5)
        left_at = time.monotonic()

        assert ("user_offline", bob) == await change(hers)
        assert 3.5 <= time.monotonic() - left_at <= 6


async def test_the_first_message_makes_partners(shared_server, users):
    """Both are told that the other is there, from then on."""
    alice, bob, _ = users
    url, mint = shared_server.url, shared_server.mint
    async with connected(url, "/chat", mint(alice)) as hers, connected(url, "/chat", mint(bob)) as his:
        await asyncio.sleep(0.2)
        assert [] == sees(hers) + sees(his)
        await hers.ask("/chat", "send_message", {"to_user_id": bob, "message": "hello"})

        assert ("user_online", bob) == await change(hers)
        assert ("user_online", alice) == await change(his)


async def test_a_message_of_a_host_s_session_makes_partners(shared_server, users):
    """The nodes hear of its commit only that two streams have grown."""
    alice, bob, _ = users
    url, mint = shared_server.url, shared_server.mint
    engine = create_engine(shared_server.settings.database_url)
    async with connected(url, "/chat", mint(alice)) as hers, connected(url, "/chat", mint(bob)) as his:

        def save():
            with Session(engine) as session:
                session.add(ChatMessage(from_user_id=alice, to_user_id=bob, message="hello"))
                session.commit()

        await asyncio.to_thread(save)
        assert ("user_online", bob) == await change(hers)
        assert ("user_online", alice) == await change(his)
    engine.dispose()


async def test_who_blocks_is_not_seen_and_sees_nothing(shared_server, users, meet, soon):
    """At once; and again when the block ends."""
    alice, bob, _ = users
    meet(alice, bob)
    url, mint = shared_server.url, shared_server.mint
    block = f"{url}/api/chat/blocks/{bob}"
    headers = shared_server.bearer(alice)
    async with connected(url, "/chat", mint(alice)) as hers, connected(url, "/chat", mint(bob)) as his:
        assert ("user_online", bob) == await change(hers)
        assert ("user_online", alice) == await change(his)
        assert 204 == (await asyncio.to_thread(shared_server.http.put, block, headers=headers)).status_code
        assert ("user_offline", alice) == await change(his)
        assert ("user_offline", bob) == await change(hers)
        refused = await his.ask("/chat", "send_message", {"to_user_id": alice, "message": "hello?"})
        await his.ask("/chat", "typing", {"to_user_id": alice, "is_typing": True})
        watched = await his.ask("/chat", "watch", {"user_ids": [alice]})
        assert 204 == (await asyncio.to_thread(shared_server.http.delete, block, headers=headers)).status_code

        assert (False, "forbidden") == (refused["ok"], refused["code"])
        assert [] == watched["presence"]
        assert ("user_online", alice) == await change(his)
        assert not [one for one in hers.untaken("/chat") if one[0] == "user_typing"]


async def test_who_is_still_catching_up_hears_of_changes(shared_server, users, meet, soon, monkeypatch):
    """A page that is being sent what it missed is there: nobody would tell it again."""
    alice, bob, _ = users
    meet(alice, bob)
    url, mint, store = shared_server.url, shared_server.mint, shared_server.service.store
    heads, is_open = store.heads, threading.Event()

    async def slow(keys):
        await asyncio.to_thread(is_open.wait, 20)
        return await heads(keys)

    async with wire(url) as his:
        async with connected(url, "/chat", mint(alice)) as hers:
            monkeypatch.setattr(store, "heads", slow)
            await his.connect("/chat", {"token": mint(bob)})
            assert ("user_online", bob) == await change(hers)
        assert ("user_online", alice) == await change(his)
        assert ("user_offline", alice) == await change(his)
        is_open.set()
        await his.until("/chat", "synced")


async def test_watching_is_for_whom_one_may_see(shared_server, users, meet, soon):
    """Partners and whom the host allows, but no block; of others there is no word, and no event."""
    alice, bob, eve = users
    meet(alice, bob)
    url, mint = shared_server.url, shared_server.mint
    presence = shared_server.service.presence
    async with connected(url, "/sns", mint(alice)) as hers:
        first = await hers.ask("/sns", "watch", {"user_ids": [alice, bob, eve, "nobody"]})
        assert [(bob, False)] == [(one["user_id"], one["is_online"]) for one in first["presence"]]

        async def allow(watcher, watched):
            return (watcher, watched) == (alice, eve)

        presence.may_watch = allow
        try:
            second = await hers.ask("/sns", "watch", {"user_ids": [bob, eve]})
            assert [bob, eve] == [one["user_id"] for one in second["presence"]]
        finally:
            presence.may_watch = lambda *_: False
        async with connected(url, "/chat", mint(eve)):
            assert ("user_online", eve) == await change(hers, "/sns")
        assert ("user_offline", eve) == await change(hers, "/sns")
        block = f"{url}/api/chat/blocks/{alice}"
        headers = shared_server.bearer(eve)
        assert 204 == (await asyncio.to_thread(shared_server.http.put, block, headers=headers)).status_code
        presence.may_watch = allow
        try:
            third = await hers.ask("/sns", "watch", {"user_ids": [bob, eve]})
        finally:
            presence.may_watch = lambda *_: False
        assert [bob] == [one["user_id"] for one in third["presence"]]
        async with connected(url, "/chat", mint(eve)):
            await asyncio.sleep(0.5)
        assert [] == sees(hers, "/sns")
        too_many = await hers.ask("/sns", "watch", {"user_ids": list(range(501))})
        assert not too_many["ok"]


async def test_when_a_user_was_seen_last_is_kept(shared_server, users, meet, soon):
    """For partners, over REST; while they are there it is now."""
    alice, bob, eve = users
    meet(alice, bob)

    def ask(who):
        query = {"user_ids": f"{bob},{eve}"}
        answer = shared_server.http.get("/api/chat/presence", params=query, headers=shared_server.bearer(who))
        return answer.json()["presence"]

    async with connected(shared_server.url, "/chat", shared_server.mint(bob)):
        assert [{"user_id": bob, "is_online": True, "last_seen_at": None}] == await asyncio.to_thread(ask, alice)
    await eventually(lambda: ask(alice)[0]["last_seen_at"])
    assert [] == await asyncio.to_thread(ask, eve)
    stored = shared_server.service.presence._chats.last_seen
    await eventually(lambda: shared_server.call(stored([bob])))


async def test_writing_ends_with_the_writer(shared_server, users):
    """Two devices are one sign; it is over when the last connection closes, and strangers hear nothing."""
    alice, bob, eve = users
    url, mint = shared_server.url, shared_server.mint
    async with connected(url, "/chat", mint(bob)) as his, connected(url, "/chat", mint(eve)) as stranger:
        async with connected(url, "/chat", mint(alice)) as one, connected(url, "/chat", mint(alice)) as two:
            for socket in (one, two, one):
                await socket.ask("/chat", "typing", {"to_user_id": bob, "is_typing": True})
            assert {"user_id": alice, "is_typing": True} == await his.payload("/chat", "user_typing")
        assert {"user_id": alice, "is_typing": False} == await his.payload("/chat", "user_typing")

        assert [] == his.untaken("/chat")
        assert [] == stranger.untaken("/chat")


async def test_who_has_left_begins_to_write_to_nobody(shared_server, users, meet, soon):
    """What comes in one read with the end of the connection is done after it, where it stands behind a message."""
    alice, bob, _ = users
    meet(alice, bob)
    url, mint = shared_server.url, shared_server.mint
    async with connected(url, "/chat", mint(bob)) as his, connected(url, "/chat", mint(alice)) as hers:
        await his.until("/chat", "user_online")
        message = {"to_user_id": bob, "message": "bye"}
        writing = {"to_user_id": bob, "is_typing": True}
        hers.at_once(
            '42/chat,["send_message",' + json.dumps(message) + "]",
            '42/chat,["typing",' + json.dumps(writing) + "]",
            "1",
        )
        told = [name for name, _ in await his.until("/chat", "user_offline")]

    assert "message_received" in told
    assert "user_typing" not in told


async def test_a_pulled_cable_is_noticed(start_server, users):
    """Within interval + timeout + 5 s: nobody says goodbye, and no answer comes to a ping."""
    server = start_server(ping_interval=1.0, ping_timeout=1.0)
    alice, bob, _ = users
    url, mint = server.url, server.mint
    async with connected(url, "/chat", mint(alice)) as hers, connected(url, "/chat", mint(bob)) as his:
        await hers.ask("/chat", "send_message", {"to_user_id": bob, "message": "hello"})
        assert ("user_online", bob) == await change(hers)
        his._reader.cancel()
        pulled_at = time.monotonic()

        assert ("user_offline", bob) == await change(hers)
        assert time.monotonic() - pulled_at <= 1 + 1 + 5
