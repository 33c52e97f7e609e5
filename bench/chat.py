"""
What chat costs: ``python -m bench.chat [--seconds N]``.

First 1,000 messages a second between 50 pairs of users, from ``send_message`` until the other's socket has it.
Then 10,000 users who come on line in ten seconds, once as strangers and once with ten partners each who are told
of them. The server has a core for itself, the clients share another.
"""

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import jwt

from bench import servers
from tocsin.adapters.sql.migrate import upgrade

SECRET = "the bench's own secret, known to every peer and of no use elsewhere"
PAIRS = 50
A_SECOND = 1_000
COMING = 10_000
COMING_S = 10.0
PARTNERS = 10


class Client:
    """A WebSocket on ``/chat`` of a few lines: the client's own work must not be what is measured."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.heard = 0

    @classmethod
    async def open(cls, port: int, user: str) -> "Client":
        """Connect a user."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        client._writer.write(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        await client._reader.readuntil(b"\r\n\r\n")
        await client.receive()
        token = jwt.encode({"sub": user, "exp": int(time.time()) + 3_600}, SECRET, "HS256")
        client.send(f'40/chat,{{"token":"{token}"}}')
        while b"synced" not in await client.receive():
            pass
        return client

    def send(self, text: str) -> None:
        """Send one text frame, masked with zeros (RFC 6455, 5.3)."""
        body = text.encode()
        length = bytes([0x80 | len(body)]) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2)
        self._writer.write(b"\x81" + length + b"\0\0\0\0" + body)

    async def receive(self) -> bytes:
        """Return the next packet, pings answered."""
        while True:
            _, length = await self._reader.readexactly(2)
            if length == 126:
                length = int.from_bytes(await self._reader.readexactly(2))
            elif length == 127:
                length = int.from_bytes(await self._reader.readexactly(8))
            body = await self._reader.readexactly(length)
            if body != b"2":
                return body
            self.send("3")

    async def listen(self) -> None:
        """Count what comes, for ever."""
        while True:
            self.heard += b"user_online" in await self.receive()


async def _messages(port: int, seconds: float) -> tuple[list[float], float]:
    pairs = [
        (await Client.open(port, f"sender-{number}"), await Client.open(port, f"reader-{number}"))
        for number in range(PAIRS)
    ]
    took: list[float] = []

    async def read(reader: Client) -> None:
        while True:
            packet = await reader.receive()
            if b"message_received" in packet:
                message = json.loads(packet[packet.index(b"[") :])[1]
                took.append((time.perf_counter() - float(message["message"])) * 1_000)
                if message["seq"] % 10 == 0:
                    reader.send(f'42/chat,["ack",{{"seq":{message["seq"]}}}]')

    readers = [asyncio.create_task(read(reader)) for _, reader in pairs]
    drains = [asyncio.create_task(sender.listen()) for sender, _ in pairs]
    began = time.perf_counter()
    for number in range(int(seconds * A_SECOND)):
        sender = pairs[number % PAIRS][0]
        body = f'{{"to_user_id":"reader-{number % PAIRS}","message":"{time.perf_counter()}"}}'
        sender.send(f'42/chat,{number}["send_message",{body}]')
        await asyncio.sleep(max(0, began + (number + 1) / A_SECOND - time.perf_counter()))
    await asyncio.sleep(1)
    elapsed_s = time.perf_counter() - began - 1
    for task in (*readers, *drains):
        task.cancel()
    return took, len(took) / elapsed_s


async def _come(port: int, prefix: str) -> tuple[float, int]:
    clients: list[Client] = []
    listening: list[asyncio.Task[None]] = []
    began = time.perf_counter()

    async def come(number: int) -> None:
        client = await Client.open(port, f"{prefix}-{number}")
        clients.append(client)
        listening.append(asyncio.create_task(client.listen()))

    coming = []
    for number in range(COMING):
        coming.append(asyncio.create_task(come(number)))
        await asyncio.sleep(max(0, began + (number + 1) * COMING_S / COMING - time.perf_counter()))
    await asyncio.gather(*coming)
    elapsed_s = time.perf_counter() - began
    await asyncio.sleep(2)
    for task in listening:
        task.cancel()
    return elapsed_s, sum(client.heard for client in clients)


def _befriend(path: Path) -> None:
    """Give each user who will come ten conversations with others who will."""
    upgrade(str(path))
    with sqlite3.connect(path) as connection:
        sql = "INSERT OR REPLACE INTO tocsin_conversation VALUES (?, ?, 'm', NULL)"
        for number in range(COMING):
            for step in range(1, PARTNERS // 2 + 1):
                one, other = f"partner-{number}", f"partner-{(number + step) % COMING}"
                connection.executemany(sql, [(one, other), (other, one)])
    connection.close()


def main() -> None:
    """Measure, and print a line each."""
    parser = argparse.ArgumentParser(prog="python -m bench.chat")
    parser.add_argument("--seconds", type=float, default=15.0)
    seconds: float = parser.parse_args().seconds
    os.sched_setaffinity(0, {servers.cores()[1]})
    (peer,) = (one for one in servers.PEERS if one.key == "tocsin")
    limits = {"TOCSIN_LIMIT_ADDRESS_CONNECTIONS": "0"}
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        _befriend(Path(folder) / "bench.db")
        with servers.running(peer, SECRET, Path(folder), limits) as server:
            before_s = server.cpu_s()
            took, rate = asyncio.run(_messages(server.port, seconds))
            cuts = statistics.quantiles(took, n=100)
            cpu = (server.cpu_s() - before_s) / seconds
            print(
                f"messages: {rate:,.0f}/s, sent → shown p50 {cuts[49]:.1f}, p99 {cuts[98]:.1f} ms, {cpu:.0%} of a core"
            )
        for prefix in ("stranger", "partner"):
            with servers.running(peer, SECRET, Path(folder), limits) as server:
                before_s = server.cpu_s()
                elapsed_s, heard = asyncio.run(_come(server.port, prefix))
                cpu_s = server.cpu_s() - before_s
                print(
                    f"{COMING:,} {prefix}s came in {elapsed_s:.1f} s: {cpu_s:.1f} s of the processor, "
                    f"{heard:,} events, {server.rss_kib() / 1024:.0f} MiB",
                    flush=True,
                )


if __name__ == "__main__":
    main()
