"""Producers over kept connections and clients that resume, for as long as servers are replaced under them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from secrets import token_hex

import httpx
from websockets.exceptions import WebSocketException

from tests.acceptance.wire_socket import Refused, connected, eventually

NS = "/notifications"

Mint = Callable[[str, str], str]


class Load:
    """
    Publishes to one user and hears it on several devices.

    Attributes:
        answers: What each publish was answered: its status, or the name of an error.
        titles: What was published and acknowledged.
        heard: By device, the titles in the order in which they came.
        comings: Connections that the devices have made.
    """

    def __init__(self, url: str, mint: Mint) -> None:
        self.url = url
        self.answers: list[int | str] = []
        self.titles: list[str] = []
        self.heard: list[list[str]] = []
        self.comings = 0
        # Nobody whom an earlier test has told something.
        self._user = f"user {token_hex(4)}"
        self._mint = mint
        self._is_over = asyncio.Event()

    async def produce(self, name: str) -> None:
        """Publish one after the other over one connection, as a back end does, until it is over."""
        headers = {"Authorization": f"Bearer {self._mint('shop', 'publish')}"}
        # It is opened again after an answer that says so, or when it was closed while nothing was asked.
        async with httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False, timeout=30) as http:
            n = 0
            while not self._is_over.is_set():
                n += 1
                title = f"{name} {n}"
                body = {"user_id": self._user, "type": "t", "title": title, "message": ""}
                try:
                    answer = (await http.post("/api/notifications", json=body)).status_code
                except httpx.HTTPError as error:
                    answer = type(error).__name__
                self.answers.append(answer)
                if answer == 201:
                    self.titles.append(title)
                await asyncio.sleep(0.02)

    async def listen(self) -> None:
        """Be one device, which comes back with its cursor whenever it is sent away."""
        titles: list[str] = []
        self.heard.append(titles)
        cursor = {}
        while True:
            with contextlib.suppress(OSError, WebSocketException, Refused, TimeoutError):
                async with connected(self.url, NS, self._mint(self._user, ""), **cursor) as socket:
                    self.comings += 1
                    while not (socket.closed.is_set() and socket.events[NS].empty()):
                        with contextlib.suppress(TimeoutError):
                            event, payload = await asyncio.wait_for(socket.events[NS].get(), 0.2)
                            if event == "notification":
                                titles.append(payload["title"])
                            if "seq" in payload:
                                cursor = {"epoch": payload["epoch"], "last_seq": payload["seq"]}
            await asyncio.sleep(0.1)

    async def finish(self) -> None:
        """End the producers, and wait until every device has heard all that was acknowledged."""
        self._is_over.set()
        await eventually(lambda: all(set(self.titles) <= set(titles) for titles in self.heard), 60)


@asynccontextmanager
async def load(url: str, mint: Mint, *, producers: int = 3, devices: int = 6) -> AsyncIterator[Load]:
    """Publish and listen until the end of the block, where everything has been heard."""
    running = Load(url, mint)
    tasks = [asyncio.create_task(running.listen()) for _ in range(devices)]
    made: list[asyncio.Task[None]] = []
    try:
        # Who comes without a cursor hears only what is new.
        await eventually(lambda: running.comings == devices, 60)
        made += [asyncio.create_task(running.produce(f"producer {n}")) for n in range(producers)]
        yield running
        await running.finish()
        await asyncio.gather(*made)
    finally:
        for task in (*tasks, *made):
            task.cancel()
        await asyncio.gather(*tasks, *made, return_exceptions=True)
