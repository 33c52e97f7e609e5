"""The way to Redis: which URLs are taken, and that no password is told."""

import asyncio
import logging

import pytest

from tocsin.adapters import redis_link
from tocsin.adapters.redis_link import RedisLink


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://:pass%2Fword@localhost:6379/0",
        "rediss://user:password@localhost:6380/1",
        "valkey://localhost:6379",
        "valkeys://localhost:6379",
        "unix:///run/redis.sock",
        "redis://localhost?socket_timeout=1&decode_responses=yes&protocol=3&health_check_interval=1",
    ],
)
def test_a_url_names_a_server(url):
    """What would break a subscription is ours to set, whatever the URL says."""
    connection = RedisLink(url).connection()

    assert connection.socket_timeout is None
    assert 0 == connection.health_check_interval
    assert 2 == connection.protocol
    assert not connection.encoder.decode_responses


@pytest.mark.parametrize(
    "url", ["redis://:geheim/wort@localhost:6379", "redis://geheim@localhost:geheim", "redis://localhost?geheim=1"]
)
def test_a_url_that_cannot_be_read_is_not_quoted(url):
    """The message says what one looks like; the password stands nowhere."""
    with pytest.raises(ValueError, match="percent-encoded") as refused:
        RedisLink(url)

    assert "geheim" not in str(refused.value)
    assert refused.value.__suppress_context__


class Connected:
    """A connection to nowhere that is made at once."""

    async def connect(self):
        pass

    async def disconnect(self, nowait):
        pass


async def test_an_outage_of_a_day_ends_as_a_short_one(monkeypatch):
    """However often it was in vain, the next attempt follows half a minute later at most."""
    link, waits, is_back = RedisLink("redis://localhost"), [], asyncio.Event()
    link.connection = Connected
    # Nobody waits here, and what would have been waited for at most is written down.
    monkeypatch.setattr(redis_link, "jitter", lambda least, most: waits.append(most) or least)

    async def use(_):
        if len(waits) < 5_000:
            raise ConnectionError("away")
        is_back.set()
        await asyncio.Event().wait()

    kept = asyncio.create_task(link.keep("publish", use))
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
    link = RedisLink("redis://:geheim@localhost:1")
    is_back = asyncio.Event()
    both = asyncio.Barrier(3)

    async def use(name):
        if not is_back.is_set():
            raise ConnectionError(f"geheim {name}")
        link.found(name)
        await both.wait()
        await asyncio.Event().wait()

    link.connection = Connected
    with caplog.at_level(logging.INFO, "tocsin"):
        kept = [
            asyncio.create_task(link.keep(name, lambda _, name=name: use(name))) for name in ("publish", "subscribe")
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
