"""
A user of the server in tests: REST with the user's token, and a socket that hears everything.

Speaks Socket.IO over a WebSocket by itself, so that tests need no package besides Tocsin.
"""

import itertools
import json
import re
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tocsin.domain.events import NAMESPACES

PATIENCE_S = 10.0
_PACKET = re.compile(r"4([0-4])(?:(/[^,]*),?)?(\d+)?(.*)", re.DOTALL)
_CONNECT, _DISCONNECT, _EVENT, _ACK, _CONNECT_ERROR = "01234"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a request of REST."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """Return the JSON of the body."""
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class Heard:
    """An event that reached the user."""

    namespace: str
    event: str
    data: Any


class Refused(Exception):
    """The server did not let the user in; ``problem`` says why."""

    def __init__(self, namespace: str, problem: Any) -> None:
        super().__init__(f"{namespace}: {problem}")
        self.problem = problem


class LiveClient:
    """
    One device of a user, connected to namespaces; a context manager.

    It keeps a cursor for each namespace, so that after ``disconnect`` a ``connect`` gets what was missed.

    Args:
        url: The server's.
        token: Of the user.
        namespaces: Where it is connected; ``/`` is for events of the host.

    Attributes:
        events: What was heard, the first first.
    """

    def __init__(self, url: str, token: str, namespaces: tuple[str, ...] = NAMESPACES) -> None:
        self.url = url
        self.token = token
        self.namespaces = namespaces
        self.events: list[Heard] = []
        self._taken: set[int] = set()
        self._acks: dict[int, Any] = {}
        self._ids = itertools.count(1)
        self._cursors: dict[str, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._settled: dict[str, Any] = {}
        self._open = ExitStack()
        self._socket: ClientConnection | None = None
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def connect(self) -> None:
        """
        Connect every namespace; returns when each has sent what was missed.

        Raises:
            Refused: The server lets the user in to none of them, as with a token that has ended.
            AssertionError: It did not answer in time.
        """
        self._settled = {}
        opening = connect(f"ws{self.url[4:]}/socket.io/?EIO=4&transport=websocket", proxy=None)
        self._socket = self._open.enter_context(opening)
        self._reader = threading.Thread(target=self._read, args=(self._socket,), name="tocsin-live-client", daemon=True)
        self._reader.start()
        for namespace in self.namespaces:
            auth = {"token": self.token, **self._cursors.get(namespace, {})}
            self._send(_CONNECT, namespace, json.dumps(auth))
        self._wait(lambda: len(self._settled) == len(self.namespaces), "the server's answer to CONNECT")
        for namespace, problem in self._settled.items():
            if problem is not None:
                self.disconnect()
                raise Refused(namespace, problem)

    def disconnect(self) -> None:
        """Leave; harmless when done already."""
        self._open.close()
        if self._reader is not None:
            self._reader.join()
        self._socket = self._reader = None

    def wait_for(
        self, event: str, namespace: str | None = None, *, timeout_s: float = PATIENCE_S, **fields: Any
    ) -> Any:
        """
        Return the payload of the next event of this name that was not returned yet.

        Args:
            event: Its name.
            namespace: Where; None: anywhere.
            timeout_s: Seconds to wait for it.
            fields: What its payload must hold, such as ``type="order"``; others are passed over.

        Raises:
            AssertionError: It did not come in time; the message names what did.
        """
        place = -1

        def is_there() -> bool:
            nonlocal place
            for place, heard in enumerate(self.events):
                is_meant = heard.event == event and namespace in {None, heard.namespace} and _holds(heard.data, fields)
                if is_meant and place not in self._taken:
                    self._taken.add(place)
                    return True
            return False

        self._wait(is_there, f"the event {event!r}", timeout_s)
        return self.events[place].data

    def heard(self, event: str, namespace: str | None = None) -> list[Any]:
        """Return the payloads of all events of this name until now."""
        return [one.data for one in self.events if one.event == event and namespace in {None, one.namespace}]

    def emit(self, namespace: str, event: str, data: Any = None, *, timeout_s: float = PATIENCE_S) -> Any:
        """Send an event and return the server's ack, ``{"ok": True, …}`` or a problem."""
        number = next(self._ids)
        arguments = [event] if data is None else [event, data]
        self._send(_EVENT, namespace, f"{number}{json.dumps(arguments)}")
        self._wait(lambda: number in self._acks, f"the ack of {event!r}", timeout_s)
        return self._acks.pop(number)

    def request(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Ask the server, or the application behind it, with the user's token; ``body`` is sent as JSON."""
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE_S)
        sent = {"Authorization": f"Bearer {self.token}"} | ({} if headers is None else headers)
        content = None
        if body is not None:
            sent, content = {"Content-Type": "application/json"} | sent, json.dumps(body)
        try:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        """Ask by GET."""
        return self.request("GET", path)

    def post(self, path: str, body: Any = None) -> Answer:
        """Ask by POST."""
        return self.request("POST", path, body)

    def _send(self, kind: str, namespace: str, text: str) -> None:
        assert self._socket is not None, "the client is not connected"
        place = "" if namespace == "/" else f"{namespace},"
        self._socket.send(f"4{kind}{place}{text}")

    def _wait(self, is_there: Any, what: str, timeout_s: float = PATIENCE_S) -> None:
        with self._changed:
            if not self._changed.wait_for(is_there, timeout_s):
                names = ", ".join(f"{one.namespace} {one.event}" for one in self.events) or "nothing"
                raise AssertionError(f"{what} did not come within {timeout_s:g} s; heard: {names}")

    # In the reader's thread

    def _read(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            for message in socket:
                if message == "2":
                    socket.send("3")
                elif (found := _PACKET.fullmatch(str(message))) is not None:
                    with self._changed:
                        self._take(found[1], found[2] or "/", found[3], json.loads(found[4] or "null"))
                        self._changed.notify_all()

    def _take(self, kind: str, namespace: str, number: str | None, content: Any) -> None:
        if kind == _ACK and number is not None:
            self._acks[int(number)] = content[0] if content else None
        elif kind in {_DISCONNECT, _CONNECT_ERROR}:
            self._settled[namespace] = content or {"message": "disconnected"}
        elif kind == _CONNECT and namespace not in NAMESPACES:
            self._settled[namespace] = None
        elif kind == _EVENT:
            self._hear(namespace, content[0], content[1] if len(content) > 1 else None)

    def _hear(self, namespace: str, event: str, data: Any) -> None:
        if event in {"synced", "resync"}:
            self._settled[namespace] = None
            self._cursors[namespace] = {"epoch": data["epoch"], "last_seq": data["seq"]}
        elif isinstance(data, dict) and "seq" in data and "epoch" in data:
            if data["seq"] <= self._cursors.get(namespace, {}).get("last_seq", -1):
                return
            self._cursors[namespace] = {"epoch": data["epoch"], "last_seq": data["seq"]}
        self.events.append(Heard(namespace, event, data))


def _holds(data: Any, fields: dict[str, Any]) -> bool:
    return not fields or (isinstance(data, dict) and fields.items() <= data.items())
