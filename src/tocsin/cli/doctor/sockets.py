"""Socket.IO through the proxies: polling that finds its process again, the upgrade, a WebSocket that stays open."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from tocsin.cli.doctor.finding import Finding, Findings, first_line, ok, problem, safely, warning
from tocsin.cli.doctor.http import NO_ANSWER, TIMEOUT_S, Site
from tocsin.domain.events import NAMESPACES

AREA = "socket"
_POLLING = "/socket.io/?EIO=4&transport=polling"
_SEPARATOR = b"\x1e"
# How often the session is asked for: a proxy that knows three processes finds a wrong one in time.
_POLLS = 6
_SLOW_POLL_S = 5.0
_CUT = "let the proxy keep silent connections for 90 s or more; in nginx: proxy_read_timeout 120s"
_OURS = "let --url lead to a server of Tocsin"
_STICKY = (
    "one client's requests must reach one process: cookie or hash of the address, see `Several machines` in the docs"
)
_UPGRADE = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;"
)


class _Wrong(Exception):
    """What the server answered to polling; the message is one line."""


_NONE = (_Wrong, *NO_ANSWER)


def look(site: Site, idle_s: float = 0.0) -> Findings:
    """Look at both transports, and at the change from one to the other. No token is needed and none is sent."""
    try:
        sid, upgrades = _open(site)
    except _NONE as error:
        yield problem(AREA, f"polling does not open: {first_line(error)}", "let the proxy pass /socket.io/ as it is")
    else:
        yield ok(AREA, "polling opens")
        yield from _sticky(site, sid)
        if "websocket" not in upgrades:
            yield warning(AREA, "the server offers no WebSocket", _OURS)
    yield from _in_time(lambda: _websocket(site, idle_s), idle_s)
    yield from _in_time(lambda: _change(site))


def _in_time(look: Callable[[], Findings], more_s: float = 0.0) -> Findings:
    """Look in a thread of its own: the client waits without end for a TLS server that answers nothing."""
    found: list[Finding] = []

    def gather() -> None:
        # One by one: what was found counts, whatever becomes of the rest.
        for one in safely(AREA, look):
            found.append(one)  # noqa: PERF402

    thread = threading.Thread(target=gather, daemon=True)
    thread.start()
    thread.join(2 * TIMEOUT_S + more_s)
    yield from found
    if thread.is_alive():
        yield problem(AREA, "a request for a WebSocket gets no answer", f"in nginx: {_UPGRADE}")


def _open(site: Site) -> tuple[str, list[str]]:
    answer = site.ask("GET", _POLLING)
    try:
        told: dict[str, Any] = orjson.loads(answer.body.removeprefix(b"0").partition(_SEPARATOR)[0])
        return told["sid"], told["upgrades"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise _Wrong(f"{answer.status} {answer.text}") from None


def _sticky(site: Site, sid: str) -> Findings:
    """Ask for the same session again and again, on connections of their own."""
    refused: set[str] = set()
    namespaces = [*NAMESPACES]
    try:
        for turn in range(_POLLS):
            namespace = namespaces[turn % len(namespaces)]
            posted = site.ask(
                "POST", f"{_POLLING}&sid={sid}", f"40{namespace},".encode(), {"Content-Type": "text/plain"}
            )
            _check(posted.status, posted.text)
            began = time.monotonic()
            polled = site.ask("GET", f"{_POLLING}&sid={sid}")
            _check(polled.status, polled.text)
            if time.monotonic() - began > _SLOW_POLL_S:
                yield warning(
                    "proxy", "an answer to a poll came late: it is held back", "proxy_buffering off, in nginx"
                )
            refused |= {
                one.decode(errors="replace")[2:].partition(",")[0]
                for one in polled.body.split(_SEPARATOR)
                if one[:2] == b"44"
            }
    except _NONE as error:
        yield problem(AREA, f"polling loses its session: {first_line(error)}", _STICKY)
        return
    yield ok(AREA, f"{_POLLS} polls on as many connections found their session")
    if missing := set(namespaces) - refused:
        yield problem(AREA, f"{', '.join(sorted(missing))} did not ask for a token", _OURS)
    else:
        yield ok(AREA, f"{', '.join(namespaces)} ask for a token")


def _expect(packet: str, wanted: str) -> None:
    if packet != wanted:
        raise _Wrong(f"the probe is answered {packet[:40]!r}")


def _check(status: int, text: str) -> None:
    if status != 200:
        raise _Wrong(f"{status} {text}")


@contextmanager
def _connected(site: Site, query: str = "") -> Iterator[ClientConnection]:
    url = f"{re.sub('^http', 'ws', site.url)}/socket.io/?EIO=4&transport=websocket{query}"
    options: dict[str, Any] = {} if site.tls is None else {"ssl": site.tls}
    with connect(url, open_timeout=TIMEOUT_S, close_timeout=2, ping_interval=None, proxy=None, **options) as socket:
        yield socket


def _websocket(site: Site, idle_s: float) -> Findings:
    try:
        with _connected(site) as socket:
            first = socket.recv(TIMEOUT_S)
            if not str(first).startswith("0{"):
                yield problem(AREA, "a WebSocket opens and says nothing of Engine.IO", _OURS)
                return
            yield ok(AREA, "a WebSocket opens at once (101)")
            if idle_s:
                yield from _idle(socket, idle_s)
    except InvalidStatus as error:
        yield problem(
            AREA,
            f"no WebSocket: the answer is {error.response.status_code} in place of 101",
            f"let the proxy pass the upgrade; in nginx: {_UPGRADE}",
        )
    except (WebSocketException, OSError) as error:
        yield problem(
            AREA, f"no WebSocket: {first_line(error)}", f"let the proxy pass the upgrade; in nginx: {_UPGRADE}"
        )


def _idle(socket: ClientConnection, idle_s: float) -> Findings:
    # Nobody connects to a namespace: the server waits for that for 45 s, and then ends it itself.
    began = time.monotonic()
    beats = 0
    try:
        while (left := began + idle_s - time.monotonic()) > 0:
            if socket.recv(left) == "2":
                beats += 1
                socket.send("3")
    except TimeoutError:
        pass
    except ConnectionClosed:
        yield warning("proxy", f"an idle WebSocket is cut after {time.monotonic() - began:.1f} s", _CUT)
        return
    yield ok(AREA, f"a WebSocket stays open for {idle_s:g} s, with {beats} heartbeats")


def _change(site: Site) -> Findings:
    """Change from polling to a WebSocket, as browsers do."""
    try:
        sid, _ = _open(site)
        with _connected(site, f"&sid={sid}") as socket:
            socket.send("2probe")
            _expect(str(socket.recv(TIMEOUT_S)), "3probe")
            socket.send("5")
    except (*_NONE, WebSocketException) as error:
        yield warning(
            AREA, f"polling does not become a WebSocket: {first_line(error)}", f"clients stay with polling; {_STICKY}"
        )
    else:
        yield ok(AREA, "polling becomes a WebSocket")
