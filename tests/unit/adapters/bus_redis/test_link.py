"""Connections that are kept: how long an outage is waited for, and how it is told."""

import asyncio
import logging

from tocsin.adapters.bus_redis import link as module
from tocsin.adapters.bus_redis.link import Again, RedisLink


class Connected:
    """A connection to nowhere that is made at once."""

    async def connect(self):
        pass

    async def disconnect(self, nowait):
        pass


async def test_an_outage_of_a_day_ends_as_a_short_one(monkeypatch):
    """However often it was in vain, the next attempt follows half a minute later at most."""
    link, waits, is_back = RedisLink(), [], asyncio.Event()
    # Nobody waits here, and what would have been waited for at most is written down.
    monkeypatch.setattr(module, "jitter", lambda least, most: waits.append(most) or least)

    async def use(_):
        if len(waits) < 5_000:
            raise ConnectionError("away")
        is_back.set()
        await asyncio.Event().wait()

    kept = asyncio.create_task(link.keep("publish", Connected, use))
    back = asyncio.create_task(is_back.wait())
    async with asyncio.timeout(20):
        await asyncio.wait([kept, back], return_when=asyncio.FIRST_COMPLETED)
    kept.cancel()
    back.cancel()
    await asyncio.gather(kept, back, return_exceptions=True)

    assert is_back.is_set()
    assert [1.0, 2.0, 4.0, 8.0, 16.0, 30.0] == waits[:6]
    assert {30.0} == set(waits[6:])


async def test_an_outage_is_told_once(caplog):
    """Two connections that are down for many attempts are one line, and one when both are back."""
    link = RedisLink({"geheim"})
    is_back = asyncio.Event()
    both = asyncio.Barrier(3)

    async def use(name):
        if not is_back.is_set():
            raise ConnectionError(f"geheim {name}")
        link.found(name)
        await both.wait()
        await asyncio.Event().wait()

    with caplog.at_level(logging.INFO, "tocsin"):
        kept = [
            asyncio.create_task(link.keep(name, Connected, lambda _, name=name: use(name)))
            for name in ("publish", "subscribe")
        ]
        async with asyncio.timeout(20):
            while link.reconnects < 4:  # noqa: ASYNC110 - nothing tells of an attempt
                await asyncio.sleep(0.01)
            is_back.set()
            await both.wait()
    for task in kept:
        task.cancel()
    await asyncio.gather(*kept, return_exceptions=True)

    lost, found = [record.getMessage() for record in caplog.records]
    assert lost.startswith("Redis can't be reached (*** ")
    assert found.startswith("Redis is back after ")


async def test_a_connection_that_is_made_again_on_purpose_is_no_outage(caplog):
    """Nothing is lost then, and nothing told."""
    link, tries = RedisLink(), asyncio.Queue()

    async def use(_):
        tries.put_nowait(None)
        raise Again

    kept = asyncio.create_task(link.keep("subscribe", Connected, use))
    async with asyncio.timeout(20):
        await tries.get()
        await tries.get()
    kept.cancel()
    await asyncio.gather(kept, return_exceptions=True)

    assert set() == link.lost
    assert [] == caplog.records
