"""Workers that ask each other for their readings."""

import asyncio
import socket

from tocsin.metrics import workers as module
from tocsin.metrics.reading import HistogramReading
from tocsin.metrics.workers import Workers, decode, encode

READINGS = {
    "tocsin_users": {(): 2.0},
    "tocsin_refusals_total": {("rest", "not_found"): 1.0, ("bus", "unsigned"): 4.0},
    "tocsin_commit_seconds": {(): HistogramReading((0.1, 1.0), (4, 1, 2), 9.5)},
}


def users(count):
    return lambda: {"tocsin_users": {(): count}}


def test_readings_survive_the_way():
    """What a worker reads of another is what that one has."""
    assert READINGS == decode(encode(READINGS))


async def test_whoever_is_asked_tells_of_all(tmp_path):
    """A scrape that meets any worker sees each of them."""
    first, second = Workers(tmp_path, 1, users(3)), Workers(tmp_path, 12, users(5))
    await first.start()
    await second.start()
    try:
        expected = {"1": users(3)(), "12": users(5)()}
        assert expected == await first.read_all()
        assert expected == await second.read_all()
    finally:
        await first.stop()
        await second.stop()


async def test_one_that_died_is_left_out(tmp_path):
    """Its socket is still in the folder, and nobody answers there."""
    alive = Workers(tmp_path, 1, users(3))
    await alive.start()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "2.metrics"))
        dead.listen()
    try:
        assert {"1"} == (await alive.read_all()).keys()
    finally:
        await alive.stop()


async def test_one_that_hangs_is_left_out(tmp_path, monkeypatch):
    """The scrape does not wait for it longer than a moment."""
    monkeypatch.setattr(module, "ANSWER_S", 0.05)
    is_over = asyncio.Event()

    async def hang(_reader, writer):
        await is_over.wait()
        writer.close()

    silent = await asyncio.start_unix_server(hang, tmp_path / "2.metrics")
    alive = Workers(tmp_path, 1, users(3))
    await alive.start()
    try:
        assert {"1"} == (await alive.read_all()).keys()
    finally:
        await alive.stop()
        is_over.set()
        silent.close()
        await asyncio.sleep(0)
