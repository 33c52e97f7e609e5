"""What PEP 3333 asks of a server, over the ASGI messages of a fake one."""

import asyncio
import contextlib
import io
import threading
import time

import pytest

from tocsin.rest.wsgi import MAX_AHEAD, MAX_WAITING, WsgiHost, build_environ
from tocsin.rest.wsgi_body import Incoming

SCOPE = {
    "type": "http",
    "http_version": "1.1",
    "method": "POST",
    "path": "/a b",
    "raw_path": b"/a%20b",
    "query_string": b"",
    "headers": [],
    "server": ("127.0.0.1", 80),
}


class FakeServer:
    """Gives a body in pieces, then nothing until the client is told to leave."""

    def __init__(self, *pieces, leaves=False):
        self.sent = []
        self.left = asyncio.Event()
        self._messages = [
            {"type": "http.request", "body": piece, "more_body": index < len(pieces) - 1 or leaves}
            for index, piece in enumerate(pieces or (b"",))
        ]
        if leaves:
            self.left.set()

    async def receive(self):
        if self._messages:
            return self._messages.pop(0)
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.sent)


async def ask(app, *pieces, **options):
    server = FakeServer(*pieces, **options)
    async with asyncio.timeout(20):
        await WsgiHost(app, threads=2)(dict(SCOPE), server.receive, server.send)
    return server


async def test_the_write_callable_and_the_pieces_come_in_order():
    """What an old application writes comes before what it returns; empty pieces are nothing."""

    def app(environ, start_response):
        write = start_response("201 Created", [("X-A", "b")])
        write(b"written ")
        return [b"", b"returned"]

    server = await ask(app)

    assert server.sent[0] == {"type": "http.response.start", "status": 201, "headers": [(b"x-a", b"b")]}
    assert server.body == b"written returned"
    assert server.sent[-1]["more_body"] is False


async def test_an_answer_without_a_body_has_its_head():
    """204 and the like are whole answers."""

    def app(environ, start_response):
        start_response("204 No Content", [])
        return []

    assert [message["type"] for message in (await ask(app)).sent] == ["http.response.start", "http.response.body"]


async def test_a_second_head_needs_a_reason():
    """With `exc_info` the head is replaced while it is here; without it is a mistake."""

    def replaces(environ, start_response):
        start_response("200 OK", [])
        error = ValueError("late")
        start_response("500 Oh", [], (ValueError, error, None))
        return [b"sorry"]

    def repeats(environ, start_response):
        start_response("200 OK", [])
        start_response("200 OK", [])
        return []

    assert (await ask(replaces)).sent[0]["status"] == 500
    with pytest.raises(AssertionError, match="already"):
        await ask(repeats)


@pytest.mark.parametrize("pieces", [[], [b"x"]])
async def test_an_application_that_never_starts_its_answer_is_an_error(pieces):
    """So that the server says 500."""
    with pytest.raises(RuntimeError, match="did not call start_response"):
        await ask(lambda _environ, _start: pieces)


async def test_a_body_that_breaks_off_is_an_error_of_the_read():
    """Never a short body."""
    seen = []

    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            environ["wsgi.input"].read()
        except ConnectionError as error:
            seen.append(error)
        return []

    await ask(app, b"half", leaves=True)

    assert len(seen) == 1


async def test_lines_and_reads_of_any_size_are_whole():
    """`readline(limit)` waits for what has not come yet."""
    read = []

    def app(environ, start_response):
        start_response("200 OK", [])
        body = environ["wsgi.input"]
        read.extend([body.readline(3), body.readline(), body.read(2), body.readlines(), body.read()])
        return []

    await ask(app, b"ab", b"cd\nxy", b"z\nlast")

    assert read == [b"abc", b"d\n", b"xy", [b"z\n", b"last"], b""]


async def test_a_body_is_read_while_the_answer_is_streamed():
    """An echo gets every piece once, though the server also looks for the client's leaving."""

    def app(environ, start_response):
        start_response("200 OK", [])
        return iter(lambda: environ["wsgi.input"].read(5), b"")

    pieces = [bytes([65 + index]) * 7 for index in range(20)]

    assert (await ask(app, *pieces)).body == b"".join(pieces)


async def test_a_view_waits_for_a_slow_client_and_ends_with_it():
    """No more than the bound is held; when the client leaves, `close` is called and the thread is free."""
    made, closed = [], threading.Event()

    class Pieces:
        def __iter__(self):
            while True:
                made.append(1)
                yield b"x" * 10_000

        def close(self):
            closed.set()

    def app(environ, start_response):
        start_response("200 OK", [])
        return Pieces()

    server = FakeServer()
    first = asyncio.Event()

    async def send(message):
        if message["type"] == "http.response.body":
            first.set()
            await asyncio.Event().wait()

    host = WsgiHost(app, threads=1)
    task = asyncio.create_task(host(dict(SCOPE), server.receive, send))
    async with asyncio.timeout(20):
        await first.wait()
        task.cancel()
        assert await asyncio.to_thread(closed.wait, 20)
        again = FakeServer()
        again.left.set()
        await host(dict(SCOPE), again.receive, again.send)

    assert len(made) * 10_000 < 5 * MAX_AHEAD


@pytest.mark.parametrize("is_read", [False, True])
async def test_a_client_that_leaves_behind_a_body_that_nobody_reads_ends_its_stream(is_read):
    """What is longer than the bound is dropped, so that its leaving is seen; a late read says so."""
    closed, told = threading.Event(), []

    def app(environ, start_response):
        start_response("200 OK", [])
        try:
            yield b"x"
            if is_read:
                gone.wait(20)
                try:
                    environ["wsgi.input"].read()
                except OSError as error:
                    told.append(str(error))
            while True:
                yield b"x"
                time.sleep(0.001)
        finally:
            closed.set()

    gone = threading.Event()
    server = FakeServer(*[b"y" * 100_000] * 10, leaves=True)
    receive = server.receive

    async def receive_and_tell():
        message = await receive()
        if message["type"] == "http.disconnect":
            gone.set()
        return message

    server.receive = receive_and_tell
    async with asyncio.timeout(20):
        await WsgiHost(app, threads=1)(dict(SCOPE), server.receive, server.send)
        assert await asyncio.to_thread(closed.wait, 20)

    assert told == ["the body is gone: read it before the answer begins"] * is_read


async def test_who_leaves_while_waiting_for_a_thread_costs_none():
    """Its view never runs; who stays is answered, and one too many is refused at once."""
    ran, begun, turn = [], threading.Event(), threading.Event()

    def app(environ, start_response):
        ran.append(environ["QUERY_STRING"])
        begun.set()
        turn.wait(20)
        start_response("200 OK", [])
        return [environ["wsgi.input"].read()]

    host = WsgiHost(app, threads=1)

    def ask_for(query, server):
        return asyncio.create_task(host(SCOPE | {"query_string": query}, server.receive, server.send))

    async with asyncio.timeout(20):
        first, stays = FakeServer(b"first"), FakeServer(b"a", b"b")
        tasks = [ask_for(b"first", first)]
        await asyncio.to_thread(begun.wait, 20)
        leaving = [FakeServer(b"") for _ in range(MAX_WAITING - 1)]
        left = [ask_for(b"left", server) for server in leaving]
        tasks.append(ask_for(b"stays", stays))
        refused = FakeServer()
        await ask_for(b"refused", refused)
        for server in leaving:
            server.left.set()
        await asyncio.gather(*left)
        turn.set()
        await asyncio.gather(*tasks)

    assert refused.sent[0]["status"] == 503
    assert (first.body, stays.body, ran) == (b"first", b"ab", ["first", "stays"])


async def test_a_machine_without_a_thread_to_spare_refuses_and_recovers(monkeypatch):
    """A 503 for each request meanwhile; later they are answered as before."""

    def app(environ, start_response):
        start_response("200 OK", [])
        return [b"here"]

    def no_thread(_thread):
        raise RuntimeError("can't start new thread")

    async def status(host):
        server = FakeServer()
        async with asyncio.timeout(20):
            await host(dict(SCOPE), server.receive, server.send)
        return server.sent[0]["status"]

    host = WsgiHost(app, threads=2)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        assert [await status(host) for _ in range(3)] == [503, 503, 503]
    assert await status(host) == 200


def test_the_environment_of_a_mounted_application():
    """The root path is the script's name, and the path is given as bytes."""
    scope = SCOPE | {"root_path": "/app", "path": "/app/ü", "raw_path": b"/app/%C3%BC", "client": ("::1", 5)}
    environ = build_environ(scope, io.BufferedReader(io.BytesIO()))

    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/app", "/ü".encode().decode("latin-1"))
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("::1", "5")


async def test_a_part_that_comes_as_the_view_asks_is_read_once():
    """Also when the view is faster than who looks for the client's leaving: nothing twice, nothing lost."""
    loop = asyncio.get_running_loop()
    came = [loop.create_future() for _ in range(5)]
    parts = iter(came)
    incoming = Incoming(lambda: next(parts), lambda: None)
    incoming.watch()
    await asyncio.sleep(0)
    asked = loop.create_future()
    # In one turn of the loop: the view asks, and then the part is there.
    loop.call_soon(lambda: asked.set_result(loop.create_task(incoming.next())))
    loop.call_soon(came[0].set_result, {"type": "http.request", "body": b"a", "more_body": True})
    first = await (await asked)
    await asyncio.sleep(0)
    came[1].set_result({"type": "http.request", "body": b"b", "more_body": False})
    second = await incoming.next()

    assert [b"a", b"b"] == [first["body"], second["body"]]


async def test_who_leaves_within_the_body_ends_the_answer_to_it():
    """Also of a view that makes nothing of the error: its thread is not lost to a stream that nobody hears."""
    ended = threading.Event()

    def app(environ, start_response):
        start_response("200 OK", [])
        with contextlib.suppress(ConnectionError):
            environ["wsgi.input"].read()

        def stream():
            try:
                while True:
                    yield b"x"
            finally:
                ended.set()

        return stream()

    server = FakeServer(b"half", leaves=True)
    answering = asyncio.create_task(WsgiHost(app, threads=2)(dict(SCOPE), server.receive, server.send))
    done, _ = await asyncio.wait([answering], timeout=5)
    answering.cancel()

    assert {answering} == done
    assert await asyncio.to_thread(ended.wait, 20)
