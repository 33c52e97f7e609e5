"""Streams: bounds of a read, and acks that are gathered."""

import asyncio
import sqlite3

import pytest

from tocsin.application.streams import Streams
from tocsin.domain.errors import Invalid, Overloaded
from tocsin.domain.stream import StreamKey

KEY = StreamKey("alice", "/orders")
OTHER = StreamKey("bob", "/orders")


class Saved:
    """The part of a store that takes acks; refuses the first few times."""

    def __init__(self, refusals=0, refusal=None):
        self.calls = []
        self.refusals = refusals
        self.refusal = refusal or Overloaded("later")
        self.saved = asyncio.Event()

    async def save_acks(self, acks):
        if self.refusals:
            self.refusals -= 1
            raise self.refusal
        self.calls.append(acks)
        self.saved.set()


@pytest.mark.parametrize("after", [-1, 2**53, True, 1.0, "1", None])
async def test_a_cursor_is_a_count(store, after):
    """Anything else is refused before the store is asked."""
    with pytest.raises(Invalid, match="after"):
        await Streams(store).read(KEY, after)


@pytest.mark.parametrize("limit", [0, 1_001])
async def test_a_read_has_bounds(store, limit):
    """One to a thousand events at a time."""
    with pytest.raises(Invalid, match="limit"):
        await Streams(store).read(KEY, 0, limit)


async def test_a_read_is_the_log(store):
    """The events come with the stream's head."""
    appended = await store.append_event("/orders", "order_updated", ["alice"], b"{}")

    part = await Streams(store).read(KEY, 0)

    assert (appended, 1) == (part.events, part.head.seq)


async def test_acks_are_written_together():
    """Many acks become one write, the highest of each stream."""
    saved = Saved()
    streams = Streams(saved, ack_delay_s=0.01)
    for key, seq in ((KEY, 1), (OTHER, 4), (KEY, 3), (KEY, 2)):
        streams.ack(key, seq)

    await asyncio.wait_for(saved.saved.wait(), 20)

    assert [{KEY: 3, OTHER: 4}] == saved.calls
    await streams.stop()


async def test_acks_after_a_write_are_written_too():
    """The gathering starts again."""
    saved = Saved()
    streams = Streams(saved, ack_delay_s=0.01)
    streams.ack(KEY, 1)
    await asyncio.wait_for(saved.saved.wait(), 20)
    saved.saved.clear()
    if (ending := streams._saving) is not None:
        await ending

    streams.ack(KEY, 2)
    await asyncio.wait_for(saved.saved.wait(), 20)

    assert [{KEY: 1}, {KEY: 2}] == saved.calls
    await streams.stop()


async def test_acks_that_were_refused_are_tried_again(caplog):
    """A store that is busy gets them later, unless higher ones came."""
    saved = Saved(refusals=2)
    streams = Streams(saved, ack_delay_s=0.01)
    streams.ack(KEY, 5)
    streams.ack(OTHER, 1)

    await asyncio.wait_for(saved.saved.wait(), 20)

    assert [{KEY: 5, OTHER: 1}] == saved.calls
    assert "acks wait" in caplog.text
    await streams.stop()


async def test_acks_that_broke_the_store_end_no_others(caplog):
    """A fault costs the acks of one write, and is logged."""
    saved = Saved(refusals=1, refusal=sqlite3.DatabaseError("malformed"))
    streams = Streams(saved, ack_delay_s=0.01)
    streams.ack(KEY, 5)
    if (ending := streams._saving) is not None:
        await asyncio.wait([ending])

    streams.ack(OTHER, 1)
    await asyncio.wait_for(saved.saved.wait(), 20)

    assert [{OTHER: 1}] == saved.calls
    assert "acks were not saved" in caplog.text
    await streams.stop()


async def test_stopping_writes_what_waits(store):
    """Acks given just before the end are in the database."""
    await store.append_event("/orders", "order_updated", ["alice"], b"{}")
    streams = Streams(store)
    streams.ack(KEY, 1)

    await streams.stop()

    assert [1] == [head.acked for head in await store.heads([KEY])]


async def test_an_ack_is_a_count(store):
    """Anything else is refused."""
    with pytest.raises(Invalid, match="seq"):
        Streams(store).ack(KEY, -1)


async def test_a_stop_in_the_middle_of_a_write_writes_again():
    """Of a write in parts the rest would be lost, and what was seen would be pushed."""
    saved = Saved()
    written, saving = saved.save_acks, asyncio.Event()

    async def hang(_acks):
        saving.set()
        await asyncio.Event().wait()

    saved.save_acks = hang
    streams = Streams(saved, ack_delay_s=0)
    streams.ack(KEY, 1)
    streams.ack(OTHER, 4)
    await asyncio.wait_for(saving.wait(), 20)
    streams.ack(KEY, 2)
    saved.save_acks = written
    await streams.stop()

    assert [{KEY: 2, OTHER: 4}] == saved.calls
