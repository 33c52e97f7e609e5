"""
A WSGI application (PEP 3333) as an ASGI one: its views in threads, its streams bounded.

Why it is no package's: ``docs/adr/0007``. Which application it is and how
many threads it gets is handed in.
"""

import asyncio
import contextvars
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.types import Message, Receive, Scope, Send

from tocsin.rest.wsgi_body import Body, Incoming

_log = logging.getLogger(__name__)

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# What an answer may be ahead of its client, before its view waits.
MAX_AHEAD = 256 * 1024
# Requests that wait for a thread; more are refused at once, where they would wait for ever.
MAX_WAITING = 1_000
_FILE_BLOCK = 128 * 1024


class WsgiHost:
    """
    Serves a WSGI application; each request in one of so many threads, more wait for one.

    A thousand wait at most, others are a 503; one whose client leaves meanwhile never runs.

    Bodies are read when the view reads them and written as fast as the client takes
    them. A client that leaves ends the stream that it gets: its generator is closed
    at the next piece. One that leaves in the middle of its own body is an OSError of
    the read, never a short body. Threads are daemons: a view that hangs does not
    keep the process alive.

    Args:
        app: The application.
        threads: Views that run at a time.
    """

    def __init__(self, app: WsgiApp, *, threads: int) -> None:
        self._app = app
        self._limit = threads
        self._threads = 0
        self._idle = threading.Semaphore(0)
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or live through the lifespan, whose end ends the threads."""
        if scope["type"] == "http":
            if self._jobs.qsize() >= MAX_WAITING:
                await _refuse(send)
                return
            exchange = _Exchange(self._app, scope, receive, send)
            try:
                if not self._start(exchange.run):
                    exchange.watch()
            except RuntimeError as error:
                _log.warning("refused: %s %r: no thread for it: %s", scope["method"], scope["path"], error)
                await _refuse(send)
                return
            try:
                await exchange.answer()
            except asyncio.CancelledError:
                # Only a stop cancels; an error of it would be a traceback for each stream.
                _log.warning("cut by the stop: %s %r", scope["method"], scope["path"])
        elif scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            for _ in range(self._threads):
                self._jobs.put(None)
            await send({"type": "lifespan.shutdown.complete"})
        else:
            await send({"type": "websocket.close", "code": 1000})

    def _start(self, job: Callable[[], None]) -> bool:
        """Return whether there is a thread for it; RuntimeError: there is none at all, nor can one be made."""
        self._jobs.put(job)
        if self._idle.acquire(blocking=False):
            return True
        if self._threads == self._limit:
            return False
        try:
            threading.Thread(target=self._work, name=f"view-{self._threads + 1}", daemon=True).start()
        except RuntimeError:
            if self._threads:
                return False  # those that are there will come to it
            self._jobs.get_nowait()
            raise
        self._threads += 1
        return True

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                self._idle.release()
                job = self._jobs.get()
            if job is None:
                return
            job()
            # An idle thread must not keep alive what its last request held.
            del job


async def _refuse(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"20"), (b"retry-after", b"1")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": b"Too many requests.\r\n"})


class _Exchange:
    """One request and its answer: ``run`` in a thread of views, ``answer`` on the loop."""

    def __init__(self, app: WsgiApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app = app
        self._scope = scope
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._context = contextvars.copy_context()
        self._incoming = Incoming(receive, self._leave)
        self._news = asyncio.Event()
        # Guards what follows; a view that is too far ahead waits on it.
        self._room = threading.Condition()
        self._start: Message | None = None
        self._is_started = False
        self._chunks: list[bytes] = []
        self._ahead = 0
        self._is_told = False
        self._is_over = False
        self._is_gone = False
        self._error: Exception | None = None

    # On the loop

    def watch(self) -> None:
        """Look, also before there is an answer, whether the client leaves."""
        self._incoming.watch()

    async def answer(self) -> None:
        """Send what the view says, piece by piece; raise what it raised."""
        try:
            is_over = False
            while not is_over and not self._is_gone:
                await self._news.wait()
                self._news.clear()
                with self._room:
                    chunks, self._chunks = self._chunks, []
                    self._is_told = False
                    is_over = self._is_over
                if chunks or (is_over and self._error is None):
                    await self._pass_on(b"".join(chunks), is_over=is_over and self._error is None)
                if is_over and self._error is not None:
                    raise self._error
        finally:
            self._leave()
            self._incoming.cancel()

    async def _pass_on(self, body: bytes, *, is_over: bool) -> None:
        if self._start is not None:
            start, self._start = self._start, None
            await self._send(start)
            if not is_over:
                self._incoming.watch(is_answered=True)
        await self._send({"type": "http.response.body", "body": body, "more_body": not is_over})
        with self._room:
            self._ahead -= len(body)
            self._room.notify_all()

    def _leave(self) -> None:
        """Let nobody wait for a client that is gone."""
        with self._room:
            self._is_gone = True
            self._room.notify_all()
        self._news.set()

    # In a thread

    def run(self) -> None:
        """Call the application; whatever it raises is raised on the loop."""
        try:
            if not self._is_gone:
                self._context.run(self._call)
        except Exception as error:  # noqa: BLE001 raised on the loop
            self._error = error
        except BaseException as error:  # noqa: BLE001 sys.exit() in a view must not end the server
            self._error = RuntimeError(f"the application raised {type(error).__name__}")
            self._error.__cause__ = error
        self._is_over = True
        self._tell()

    def _call(self) -> None:
        environ = build_environ(self._scope, io.BufferedReader(Body(self._incoming, self._loop), 65_536))
        pieces = self._app(environ, self._start_response)
        try:
            for piece in pieces:
                # The head leaves with the first piece that is not empty (PEP 3333, "The start_response() Callable").
                if piece and not self._write(piece):
                    return
            if not self._is_started:
                raise RuntimeError("the application did not call start_response")
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info:
            try:
                if self._is_started and self._start is None:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self._is_started:
            raise AssertionError("start_response was called already")
        self._is_started = True
        self._start = {
            "type": "http.response.start",
            "status": int(status[:3]),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        }
        return self._write_or_raise

    def _write_or_raise(self, piece: bytes) -> None:
        if not self._write(piece):
            raise BrokenPipeError("the client is gone")

    def _write(self, piece: bytes) -> bool:
        """Hand over a piece, when there is room for it; return whether the client is there."""
        if not self._is_started:
            raise RuntimeError("the application did not call start_response")
        with self._room:
            while self._ahead > MAX_AHEAD and not self._is_gone:
                self._room.wait()
            if self._is_gone:
                return False
            self._chunks.append(piece)
            self._ahead += len(piece)
        self._tell()
        return True

    def _tell(self) -> None:
        with self._room:
            if self._is_told:
                return
            self._is_told = True
        try:
            self._loop.call_soon_threadsafe(self._news.set)
        except RuntimeError:
            self._is_gone = True  # the loop is closed: nobody is there any more


class _FileBlocks:
    """``wsgi.file_wrapper``: a file in blocks that are worth a hop to the loop."""

    def __init__(self, file: Any, block_size: int = _FILE_BLOCK) -> None:
        self._file = file
        self._block_size = max(block_size, _FILE_BLOCK)
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Any:
        return iter(lambda: self._file.read(self._block_size), b"")


def build_environ(scope: Scope, body: io.BufferedReader) -> dict[str, Any]:
    """Return the WSGI environment of a request (PEP 3333, "environ Variables")."""
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    path = unquote_to_bytes(raw_path).decode("latin-1")
    root = scope.get("root_path", "").encode().decode("latin-1").rstrip("/")
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    query = scope["query_string"].decode("latin-1")
    target = raw_path.decode("latin-1") + (f"?{query}" if query else "")
    server, port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": root,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "SERVER_NAME": server,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "asgi.scope": scope,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        # The server ends the body itself: one without a length is not taken for an empty one.
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": _FileBlocks,
    }
    if scope.get("client"):
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = scope["client"][0], str(scope["client"][1])
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name:
            continue  # would be read as the header with a hyphen, which a proxy may have checked
        key = name.upper().replace("-", "_")
        if key not in {"CONTENT_LENGTH", "CONTENT_TYPE"}:
            key = f"HTTP_{key}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value
    return environ
