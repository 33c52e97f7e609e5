"""Fault 9: the same request many times at once."""

import asyncio
import uuid

import httpx

from tests.acceptance.wire_socket import connected


async def test_twenty_identical_posts_at_once_are_one(server):
    """One row, one event, and every answer names the same id."""
    body = {"user_id": 1, "type": "t", "title": "Once", "message": "m"}
    headers = {**server.bearer("host", "publish"), "Idempotency-Key": str(uuid.uuid4())}
    async with (
        connected(server.url, "/notifications", server.mint(1)) as socket,
        httpx.AsyncClient(base_url=server.url, headers=headers, trust_env=False, timeout=20) as http,
    ):
        answers = await asyncio.gather(*(http.post("/api/notifications", json=body) for _ in range(20)))
        late = await http.post("/api/notifications", json=body)
        other = await http.post("/api/notifications", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        heard = [(await socket.payload("/notifications", "notification"))["id"] for _ in range(2)]
    stats = server.http.get("/api/notifications/stats", headers=server.bearer(1)).json()

    assert {201} == {answer.status_code for answer in [*answers, late, other]}
    (id_,) = {answer.json()["id"] for answer in [*answers, late]}
    assert [id_, other.json()["id"]] == heard
    assert 2 == stats["total"]


async def test_twenty_identical_messages_over_as_many_connections_are_one(server):
    """One ``client_msg_id`` is one message, whichever connection was first."""
    draft = {"to_user_id": 2, "message": "once", "client_msg_id": str(uuid.uuid4())}

    async def send():
        async with connected(server.url, "/chat", server.mint(1)) as socket:
            return await socket.ask("/chat", "send_message", draft)

    async with connected(server.url, "/chat", server.mint(2)) as recipient:
        acks = await asyncio.gather(*(send() for _ in range(20)))
        await recipient.payload("/chat", "message_received")
        await recipient.ask("/chat", "ack", {"seq": 0})

        assert [] == recipient.untaken("/chat")
    assert [acks[0]] * 20 == acks
    assert acks[0]["ok"]
