"""
A client with the cursor logic of delivery.md 3 to 6, over a WebSocket of its own.

It keeps ``(epoch, last_seq)``, drops what it has seen, asks for a replay on a
gap, comes back after every fault and journals what it would show to its user.
It speaks just enough Engine.IO and Socket.IO; the npm and Python clients are
driven by the acceptance tests.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import orjson
from websockets.exceptions import WebSocketException

from tocsin.cli.prove.http import Http, HttpError
from tocsin.cli.prove.journal import Journal, Shown
from tocsin.cli.prove.link import Link, OpenLink, websocket
from tocsin.cli.prove.route import Route

NAMESPACE = "/notifications"
RETRY_S = 0.1
MAX_RETRY_S = 0.5
ACK_EVERY = 50
PAGE = 200


class ProtocolError(Exception):
    """The server said what a client of ours can't make sense of."""


class Client:
    """
    One device of a user; belongs to one event loop.

    Args:
        name: For people.
        route: Its way to the nodes; the next one is tried when a connection fails.
        token: Of its user.
        on_show: Called for each event shown.
        epoch: To begin before the first event of the log; None: with what is live.
        open_link: How it talks to a node.
        ack_every: It acknowledges each event whose seq is a multiple of this.

    Attributes:
        epoch: Of the log that it follows; None until it knows.
        connects: Sessions that came as far as ``synced``.
        shown: Events shown.
        dropped: Events that came again and were not shown again.
        resyncs: Times the server could not resume the cursor.
        gaps: Times it had to ask for what was missing between two events.
        is_synced: The current session has had ``synced``.
    """

    def __init__(
        self,
        name: str,
        route: Route,
        *,
        token: str,
        journal: Journal,
        on_show: Callable[[], None],
        epoch: str | None = None,
        open_link: OpenLink = websocket,
        ack_every: int = ACK_EVERY,
    ) -> None:
        self.name = name
        self.route = route
        self.epoch = epoch
        self.connects = 0
        self.shown = 0
        self.dropped = 0
        self.resyncs = 0
        self.gaps = 0
        self.is_synced = asyncio.Event()
        self._token = token
        self._open_link = open_link
        self._ack_every = ack_every
        self._journal = journal
        self._on_show = on_show
        self._link: Link | None = None
        self._last_seq = 0
        self._is_replaying = False
        self._retry_in_s: float | None = None

    async def run(self) -> None:
        """Stay connected until cancelled, whatever happens to the server."""
        retry_s = RETRY_S
        while True:
            before = self.connects
            try:
                await self._connect()
            except (OSError, WebSocketException, HttpError, TimeoutError):
                pass
            finally:
                self._link = None
                self.is_synced.clear()
            if self._retry_in_s is not None:
                self.route.turn()
                wait_s, self._retry_in_s = self._retry_in_s, None
                await asyncio.sleep(wait_s)
                continue
            if self.connects == before:
                self.route.turn()
            retry_s = RETRY_S if self.connects > before else min(retry_s * 2, MAX_RETRY_S)
            # Full jitter (delivery.md 13): the clients of a dead server must not come back as one.
            await asyncio.sleep(random.uniform(0, retry_s))  # noqa: S311

    def cut(self) -> None:
        """Cut its connection off, as a link that breaks does; it comes back."""
        if self._link is not None:
            self.is_synced.clear()
            self._link.abort()

    async def _connect(self) -> None:
        async with self._open_link(self.route.address) as link:
            self._link = link
            await self._serve(link)

    async def _serve(self, link: Link) -> None:
        handshake = orjson.loads((await link.recv())[1:])
        patience_s = (handshake["pingInterval"] + handshake["pingTimeout"]) / 1000
        cursor = {} if self.epoch is None else {"epoch": self.epoch, "last_seq": self._last_seq}
        self._is_replaying = True
        await link.send(f"40{NAMESPACE}," + orjson.dumps({"token": self._token, **cursor}).decode())
        while True:
            async with asyncio.timeout(patience_s):
                packet = await link.recv()
            if packet == "2":
                await link.send("3")
            elif packet.startswith(f"42{NAMESPACE},"):
                name, payload = orjson.loads(packet[len(f"42{NAMESPACE},") :])
                await self._take(link, name, payload)
            elif packet.startswith(f"44{NAMESPACE},") and '"retryable":true' in packet:
                raise ConnectionRefusedError(packet)
            elif not packet.startswith((f"40{NAMESPACE},", f"43{NAMESPACE},", "6")):
                raise ProtocolError(packet)

    async def _take(self, link: Link, name: str, payload: dict[str, Any]) -> None:
        if name == "synced":
            if self.epoch is None:
                self.epoch, self._last_seq = payload["epoch"], payload["seq"]
            self._is_replaying = False
            self.connects += 1
            self.is_synced.set()
        elif name == "resync":
            self.resyncs += 1
            await self._refetch(payload["epoch"])
        elif name == "server_draining":
            self._retry_in_s = payload["retry_in"]
        elif "seq" in payload:
            await self._take_durable(link, payload)

    async def _take_durable(self, link: Link, payload: dict[str, Any]) -> None:
        seq = payload["seq"]
        if self.epoch is None:
            self.epoch, self._last_seq = payload["epoch"], seq - 1
        if seq <= self._last_seq:
            self.dropped += 1
        elif seq == self._last_seq + 1:
            self._show(payload)
            if seq % self._ack_every == 0:
                await self._emit(link, "ack", {"seq": seq})
        elif not self._is_replaying:
            self._is_replaying = True
            self.gaps += 1
            await self._emit(link, "replay", {"after": self._last_seq})

    def _show(self, payload: dict[str, Any]) -> None:
        self._last_seq = payload["seq"]
        self.shown += 1
        self._journal.write(Shown(payload["epoch"], payload["seq"], payload["id"], payload["data"]["key"]))
        self._on_show()

    async def _refetch(self, epoch: str) -> None:
        """Read over REST what the socket can't replay; what is no longer kept stays missing."""
        if epoch != self.epoch:
            self.epoch, self._last_seq = epoch, 0
        http = Http(self.route)
        try:
            await self._read_log(http)
        finally:
            http.close()

    async def _read_log(self, http: Http) -> None:
        while True:
            path = f"/api/stream{NAMESPACE}?after={self._last_seq}&limit={PAGE}"
            answer = await http.request("GET", path, headers={"Authorization": f"Bearer {self._token}"})
            if answer.status != 200:
                raise HttpError(f"the stream was answered {answer.status}")
            part = answer.json()
            for event in part["events"]:
                self._show(event["data"])
            if not part["events"]:
                self._last_seq = max(self._last_seq, part["seq"])
                return

    async def _emit(self, link: Link, name: str, payload: dict[str, Any]) -> None:
        await link.send(f"42{NAMESPACE}," + orjson.dumps([name, payload]).decode())
