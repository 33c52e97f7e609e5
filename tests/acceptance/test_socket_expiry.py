"""A connection lives as long as its token, and no longer."""

import asyncio
import time
from datetime import datetime

from tests.acceptance.wire_socket import connected, wire


async def test_a_token_that_ends_is_announced_then_ends_the_connection(shared_server):
    """``auth_expiring`` within the last minute, ``auth_expired`` at the end, then the transport closes."""
    token = shared_server.mint(1, ttl_s=4)
    async with wire(shared_server.url) as socket:
        for namespace in ("/chat", "/orders"):
            await socket.connect(namespace, {"token": token})
        expiring = [await socket.payload(namespace, "auth_expiring") for namespace in ("/chat", "/orders")]
        expired = [await socket.payload(namespace, "auth_expired") for namespace in ("/chat", "/orders")]
        ended_at = time.time()
        await socket.closed.wait()

    assert expiring[0] == expiring[1] == expired[0] == expired[1]
    assert expired[0]["expires_at"].endswith("Z")
    assert _instant(expired[0]["expires_at"]) - 0.5 <= ended_at


async def test_a_token_of_an_hour_is_not_announced(shared_server):
    """The notice comes a minute before the end, not at connect."""
    async with connected(shared_server.url, "/chat", shared_server.mint(2)) as socket:
        await socket.ask("/chat", "ack", {"seq": 0})

        assert [] == socket.untaken("/chat")


async def test_a_newer_token_prolongs_the_connection(shared_server):
    """``reauth`` with a token of the same user keeps all namespaces open beyond the first one's end."""
    async with connected(shared_server.url, "/chat", shared_server.mint(3, ttl_s=4)) as socket:
        until = _instant((await socket.payload("/chat", "auth_expiring"))["expires_at"])
        answer = await socket.ask("/chat", "reauth", {"token": shared_server.mint(3, ttl_s=3600)})
        while time.time() < until + 1:
            await asyncio.sleep(0.1)
            assert (await socket.ask("/chat", "ack", {"seq": 0}))["ok"]

        assert answer["ok"]
        assert until < _instant(answer["expires_at"])
        assert [] == socket.untaken("/chat")


async def test_an_older_token_shortens_nothing(shared_server):
    """A connection ends with the latest of its tokens."""
    async with connected(shared_server.url, "/chat", shared_server.mint(4)) as socket:
        answer = await socket.ask("/chat", "reauth", {"token": shared_server.mint(4, ttl_s=60)})

        assert time.time() + 3000 < _instant(answer["expires_at"])


async def test_another_users_token_prolongs_nothing(shared_server):
    """``reauth`` as somebody else is refused and changes nothing."""
    async with connected(shared_server.url, "/chat", shared_server.mint(5)) as socket:
        other = await socket.ask("/chat", "reauth", {"token": shared_server.mint(6)})
        wrong = await socket.ask("/chat", "reauth", {"token": "nonsense"})
        sent = await socket.ask("/chat", "send_message", {"to_user_id": 5, "message": "still me"})
        received = await socket.payload("/chat", "message_received")

    assert ["forbidden", "unauthenticated"] == [other["code"], wrong["code"]]
    assert sent["ok"]
    assert 5 == received["from_user_id"]


async def test_a_later_namespace_with_a_newer_token_prolongs_too(shared_server):
    """The tokens of all namespaces of a connection count, the latest end wins."""
    async with wire(shared_server.url) as socket:
        await socket.connect("/chat", {"token": shared_server.mint(7, ttl_s=2)})
        await socket.connect("/orders", {"token": shared_server.mint(7)})
        until = time.time() + 3
        while time.time() < until:
            await asyncio.sleep(0.1)
            assert (await socket.ask("/chat", "ack", {"seq": 0}))["ok"]


def _instant(text):
    return datetime.fromisoformat(text).timestamp()
