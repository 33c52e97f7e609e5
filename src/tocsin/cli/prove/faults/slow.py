"""Fault 7: a client stops reading while 10 MB are queued for it."""

import asyncio
import base64
import contextlib
import os
import socket
from collections.abc import AsyncIterator

from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.http import Http
from tocsin.cli.prove.onlookers import Latencies, Probe, onlooker
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.scene import Scene

NAMESPACE = "/sns"
EVENTS = 200
EVENT = "x" * 50_000
BUFFER = 16_384
PING = b"\x81\x012"
PONG = b"\x81\x81\0\0\0\x003"
CUT_S = 15.0
# Who has gone is said to be there for so long (application.presence).
GRACE_S = 4.0
LIMIT_S = 60.0
RATE = 100.0
# What else the machine does meets both alike.
ROUNDS = 4
ROUND_S = 15.0


class SlowClient(Fault):
    """
    One client stops to read: it is cut, and others notice nothing.

    The same 10 MB are first sent to it while it reads, so that what is compared
    is the reading and not the sending.
    """

    number = 7
    title = "a client that stops reading"

    def plan(self, plan: Plan) -> Plan:
        """Leave the machine some air."""
        return plan.gentle(RATE)

    async def inject(self, scene: Scene) -> None:
        """Measure in turn with a client that reads and with one that does not."""
        rounds = max(1, min(ROUNDS, int(scene.plan.hold_s / ROUND_S)))
        seconds = scene.plan.hold_s / rounds
        usual, slow, cuts = Latencies(), Latencies(), list[float | None]()
        async with onlooker(scene) as looking, Probe(scene) as probe:
            for number in range(rounds):
                user = f"{scene.load.run}.slow.{number}"
                await looking.meet(user)
                async with _link(scene, user) as link:
                    usual += await _while_reading(scene, probe, link, user, seconds)
                    scene.mark("a client stops reading")
                    found, _, cut_s = await asyncio.gather(
                        probe.measure(seconds), _send(scene, user), looking.wait(user, is_online=False, limit_s=LIMIT_S)
                    )
                    slow += found
                    cuts.append(cut_s)
                    scene.mark("it has been cut off")
        times = [cut_s - GRACE_S for cut_s in cuts if cut_s is not None]
        scene.check("the client was cut", len(times) == rounds, f"{len(times)} of {rounds} times")
        longest = max(times, default=LIMIT_S)
        scene.check(f"cut ≤ {CUT_S:.0f} s", longest <= CUT_S, f"{longest:.1f} s after it stopped")
        lost = usual.missing + usual.refused + slow.missing + slow.refused
        scene.check("others were served", lost == 0 and bool(slow.ms), f"before: {usual}; then: {slow}")
        scene.check(
            "p99 of others ≤ that of before", slow.is_like(usual), f"{slow.at(0.99) / usual.at(0.99):.2f} times"
        )


async def _while_reading(scene: Scene, probe: Probe, link: socket.socket, user: str, seconds: float) -> Latencies:
    reading = asyncio.create_task(_drain(link))
    try:
        found, _ = await asyncio.gather(probe.measure(seconds), _send(scene, user))
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return found


@contextlib.asynccontextmanager
async def _link(scene: Scene, user: str) -> AsyncIterator[socket.socket]:
    """Give a connected client that reads nothing by itself, with a small buffer of its own."""
    loop = asyncio.get_running_loop()
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        link.setblocking(False)
        await loop.sock_connect(link, tuple(scene.stack.route(0).address))
        key = base64.b64encode(os.urandom(16)).decode()
        await loop.sock_sendall(
            link,
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: prove\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" + f"Sec-WebSocket-Key: {key}\r\n\r\n".encode(),
        )
        connect = f'40{NAMESPACE},{{"token":"{scene.token(user)}"}}'.encode()
        # A mask of zeros: what is sent is what is seen.
        await loop.sock_sendall(link, bytes([0x81, 0xFE]) + len(connect).to_bytes(2, "big") + bytes(4) + connect)
        got = b""
        async with asyncio.timeout(LIMIT_S):
            while b"synced" not in got:
                got += await loop.sock_recv(link, 4_096)
        yield link


async def _drain(link: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while got := await loop.sock_recv(link, 65_536):
        if PING in got:
            await loop.sock_sendall(link, PONG)


async def _send(scene: Scene, user: str) -> None:
    """Publish 10 MB to the user."""
    http: Http = scene.http()
    headers = {"Authorization": f"Bearer {scene.token('prove', 'publish')}"}
    try:
        for number in range(EVENTS):
            data = {"post_id": number, "message": EVENT}
            body = {"namespace": NAMESPACE, "event": "publish_success", "user_id": user, "data": data}
            answer = await http.request("POST", "/api/events", body, headers)
            if answer.status >= 300:
                raise RuntimeError(f"an event was answered {answer.status}: {answer.body[:300]!r}")
    finally:
        http.close()
