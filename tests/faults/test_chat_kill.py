"""
A minute of chat between two users with two devices each, while connections are cut and the server is killed.

In the end each device holds what the server holds; what was acknowledged is there once; receipts went
forward only; and nobody writes for ever.
"""

import asyncio
import random
import time
from contextlib import suppress
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, WebSocketException

from tests.acceptance.wire_socket import wire
from tests.chat_state import REDUCERS, Chat
from tests.conftest import SECRET
from tests.processes import environment, serving
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

SECONDS = 60
USERS = ("alice", "bob")
ACTS = ("send", "send", "send", "read", "edit", "delete", "typing", "cut")


def token(user):
    return issue_token(Settings(_env_file=None, jwt_secret=SECRET), UserId(user), ttl_s=3600)


class Server:
    """Where the server is now, if it is."""

    url: str | None = None


class Device:
    """A page of one user: keeps its state over everything that happens to its connection."""

    def __init__(self, server, user, peer):
        self.server, self.user, self.peer = server, user, peer
        self.chat = Chat(user, {}, is_blocked=False, seq=0)
        self.epoch = None
        self.socket = None
        self.is_over = False
        self.seen = []
        self.read_up_to = ""
        self.sent = {}
        self.typing = (0.0, False)
        self.cuts = 0

    async def live(self):
        while not self.is_over:
            if self.server.url is None:
                await asyncio.sleep(0.05)
                continue
            with suppress(OSError, WebSocketException, TimeoutError):
                async with wire(self.server.url) as self.socket:
                    await self._follow(self.socket)
            self.socket = None

    async def _follow(self, socket):
        cursor = {} if self.epoch is None else {"epoch": self.epoch, "last_seq": self.chat.seq}
        await socket.connect("/chat", {"token": token(self.user), **cursor})
        while not self.is_over:
            taking = asyncio.create_task(socket.events["/chat"].get())
            closing = asyncio.create_task(socket.closed.wait())
            await asyncio.wait({taking, closing}, return_when=asyncio.FIRST_COMPLETED)
            closing.cancel()
            if not taking.done():
                taking.cancel()
                return
            await self._take(socket, *taking.result())

    async def _take(self, socket, name, payload):
        if name in REDUCERS:
            if payload["seq"] <= self.chat.seq:
                return  # a replay: what the cursor covers is not applied twice
            if name == "message_read" and payload["from_user_id"] == self.user:
                assert payload["message_id"] > self.read_up_to, "a receipt went backwards"
                self.read_up_to = payload["message_id"]
            if name in {"message_received", "message_sent"}:
                self.seen.append(payload["id"])
            self.chat.apply(name, payload["seq"], payload)
            self.epoch = payload["epoch"]
            await socket.emit("/chat", "ack", {"seq": self.chat.seq})
        elif name == "synced":
            assert self.epoch in {None, payload["epoch"]}, "nobody began a new epoch"
            self.epoch = payload["epoch"]
        elif name == "resync":
            raise AssertionError(f"no cursor of this minute can be lost: {payload}")
        elif name == "user_typing":
            self.typing = (time.monotonic(), payload["is_typing"])

    async def act(self, act):
        socket = self.socket
        if socket is None or "/chat" not in socket.events:
            return
        own = [one for one in self.chat.messages.values() if one["from_user_id"] == self.user]
        if act == "cut":
            self.cuts += 1
            socket.websocket.transport.abort()
        elif act == "typing":
            is_typing = random.random() < 0.7
            await socket.emit("/chat", "typing", {"to_user_id": self.peer, "is_typing": is_typing})
        elif act == "read" and (others := [one for one in self.chat.messages.values() if one not in own]):
            await socket.emit("/chat", "mark_read", {"message_id": random.choice(others)["id"]})
        elif act in {"edit", "delete"} and own:
            about = {"message_id": random.choice(own)["id"]} | ({"message": "edited"} if act == "edit" else {})
            await socket.emit("/chat", f"{act}_message", about)
        elif act == "send":
            draft = {"to_user_id": self.peer, "message": f"{len(self.sent)}", "client_msg_id": str(uuid4())}
            self.sent[draft["client_msg_id"]] = draft
            await self.send(draft)

    async def send(self, draft):
        """Send until it is acknowledged, over however many connections."""
        while True:
            socket = self.socket
            if socket is not None and "/chat" in socket.events:
                with suppress(TimeoutError, OSError, ConnectionClosed):
                    async with asyncio.timeout(3):
                        if (await socket.ask("/chat", "send_message", draft))["ok"]:
                            return
            await asyncio.sleep(0.1)


async def use(device, ends_at):
    sending = set()
    while time.monotonic() < ends_at:
        task = asyncio.create_task(device.act(random.choice(ACTS)))
        sending.add(task)
        await asyncio.sleep(random.uniform(0.02, 0.2))
    await asyncio.gather(*sending, return_exceptions=True)


async def test_every_device_ends_with_what_the_server_has(tmp_path):
    """Sixty seconds, eight kills of the server, cuts without number."""
    env = environment(tmp_path / "t.db")
    server = Server()
    devices = [Device(server, *pair) for pair in (USERS, USERS[::-1]) for _ in range(2)]
    lives = [asyncio.create_task(device.live()) for device in devices]
    ends_at = time.monotonic() + SECONDS
    uses = [asyncio.create_task(use(device, ends_at)) for device in devices]
    kills = 0
    while time.monotonic() < ends_at - 5:
        async with serving(tmp_path, env) as (server.url, process):
            await asyncio.sleep(random.uniform(3, 9))
            process._process.kill()
            kills += 1
        server.url = None
    async with (
        serving(tmp_path, env) as (server.url, _),
        httpx.AsyncClient(base_url=server.url, trust_env=False) as http,
    ):
        await asyncio.wait_for(asyncio.gather(*uses), 60)

        async def fetch(device):
            headers = {"Authorization": f"Bearer {token(device.user)}"}
            messages, query = [], {"with": device.peer, "limit": 100}
            while True:
                page = (await http.get("/api/chat/messages", params=query, headers=headers)).json()
                messages = page["messages"] + messages
                if not page["has_before"]:
                    return {one["id"]: one for one in messages}, page["seq"]
                query["before"] = messages[0]["id"]

        await asyncio.sleep(8)  # acks are stored, and signs of writing are over
        ended_at = time.monotonic()
        stored = [await fetch(device) for device in devices]
        for device in devices:
            device.is_over = True
            if device.socket is not None:
                await device.socket.websocket.close()
        await asyncio.gather(*lives)

    for device, (messages, seq) in zip(devices, stored, strict=True):
        assert messages == device.chat.messages
        assert seq == device.chat.seq
        assert len(device.seen) == len(set(device.seen)) == len(messages)
        asked = {draft for other in devices for draft in other.sent}
        assert asked == {one["client_msg_id"] for one in messages.values()}
        # A sign may be lost with a connection: who holds one lets it go after six seconds.
        said_at, is_typing = device.typing
        assert not is_typing or ended_at - said_at > 6, "somebody writes for ever"
    assert stored[0][0] == stored[2][0]
    assert kills >= 4
    assert sum(device.cuts for device in devices) >= 20
    assert len(stored[0][0]) >= 100
