"""
Clients that can also break the rules: raw WebSocket frames and raw HTTP.

Written against RFC 6455 and the Engine.IO and Socket.IO specifications; they
answer nothing by themselves, not even a ping.
"""

import asyncio
import base64
import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

import httpx
from websockets.speedups import apply_mask

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
DEADLINE_S = 20.0


def client_frame(opcode: int, payload: bytes, *, final: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """Return one frame of a client, right or wrong."""
    length = len(payload)
    bit = 0x80 if masked else 0
    head = bytes(((0x80 if final else 0) | rsv | opcode,))
    if length < 126:
        head += bytes((bit | length,))
    elif length < 65_536:
        head += bytes((bit | 126,)) + length.to_bytes(2, "big")
    else:
        head += bytes((bit | 127,)) + length.to_bytes(8, "big")
    mask = secrets.token_bytes(4)
    return head + mask + apply_mask(payload, mask) if masked else head + payload


def closing(frame: tuple[int, bytes]) -> tuple[int, int]:
    """Return opcode and close code of a frame."""
    return frame[0], int.from_bytes(frame[1][:2], "big")


class Closed(Exception):
    """The server has ended the connection; ``code`` is None when it did without a close frame."""

    def __init__(self, code: int | None = None) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Answer:
    """One HTTP answer: a status line, headers, and what followed."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


class WebSocket:
    """One WebSocket connection, frame by frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: Answer) -> None:
        self.reader = reader
        self.writer = writer
        self.answer = answer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    async def send(self, message: str | bytes) -> None:
        data = message.encode() if isinstance(message, str) else message
        await self.send_raw(client_frame(TEXT if isinstance(message, str) else BINARY, data))

    async def send_raw(self, data: bytes) -> None:
        self.writer.write(data)
        with suppress(OSError):  # what the server said before it closed is still to be read
            await self.writer.drain()

    async def frame(self, deadline_s: float = DEADLINE_S) -> tuple[int, bytes]:
        """Return the next frame, any; raise Closed when there comes none."""
        try:
            async with asyncio.timeout(deadline_s):
                head = await self.reader.readexactly(2)
                assert head[0] & 0xF0 == 0x80, "servers send whole frames without RSV bits"
                assert head[1] < 0x80, "servers never mask"
                length = head[1]
                if length >= 126:
                    length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8), "big")
                return head[0] & 0x0F, await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):  # not a timeout, which is a failure
            raise Closed from None

    async def receive(self, deadline_s: float = DEADLINE_S) -> str | bytes:
        """Return the next message; raise Closed when the server closes instead."""
        opcode, payload = await self.frame(deadline_s)
        if opcode == CLOSE:
            raise Closed(int.from_bytes(payload[:2], "big") if payload else 1005)
        assert opcode in (TEXT, BINARY), f"unexpected opcode {opcode}"
        return payload.decode() if opcode == TEXT else payload

    async def close_code(self) -> int | None:
        """Return the code with which the server closes, whatever it says before; answer it."""
        while True:
            try:
                await self.receive()
            except Closed as closed:
                if closed.code is not None:
                    await self.send_raw(client_frame(CLOSE, closed.code.to_bytes(2, "big")))
                return closed.code

    async def cut(self) -> bool:
        """True when the server has cut the TCP connection too, not only sent a close frame."""
        async with asyncio.timeout(DEADLINE_S):
            with suppress(ConnectionError):
                while await self.reader.read(65_536):
                    pass
        return True

    async def connect_namespace(self, namespace: str = "/", auth: str = "") -> str:
        """Connect a Socket.IO namespace; return the sid of its socket."""
        prefix = "" if namespace == "/" else namespace + ","
        await self.send(f"40{prefix}{auth}")
        answer = await self.receive()
        assert isinstance(answer, str)
        assert answer.startswith("40" + prefix)
        return json.loads(answer[len("40" + prefix) :])["sid"]


OPENED: list[WebSocket] = []
"""Every connection since the test began; closed when it ends."""


@dataclass
class Client:
    """Whatever a client of one server may do over TCP."""

    port: int
    path: str

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}{self.path}"

    async def upgrade(self, query: str = "EIO=4&transport=websocket", **changes: str | None) -> WebSocket:
        """
        Ask for a WebSocket and return the connection, whatever the answer.

        Header names are written with ``_``; None leaves a header out.
        """
        headers = {
            "Host": self.host,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
            "Sec-WebSocket-Version": "13",
        }
        headers |= {name.replace("_", "-"): value for name, value in changes.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if value is not None)
        return await self.raw(f"GET {self.path}?{query} HTTP/1.1\r\n{head}\r\n".encode())

    async def raw(self, request: bytes) -> WebSocket:
        """Send bytes as they are; return the connection with the head of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=4_000_000)
        writer.write(request)
        try:
            async with asyncio.timeout(DEADLINE_S):
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            head = ["HTTP/1.1 0 closed"]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        socket = WebSocket(reader, writer, Answer(int(head[0].split(" ")[1]), headers))
        OPENED.append(socket)
        return socket

    async def websocket(self, query: str = "EIO=4&transport=websocket", **changes: str | None) -> WebSocket:
        """Open a WebSocket that has to be accepted."""
        socket = await self.upgrade(query, **changes)
        assert 101 == socket.answer.status
        return socket

    async def session(self, **changes: str | None) -> WebSocket:
        """Open a session over WebSocket; its handshake has been read."""
        socket = await self.websocket(**changes)
        handshake = await socket.receive()
        assert isinstance(handshake, str)
        assert handshake.startswith("0{")
        return socket

    async def socket(self, namespace: str = "/") -> WebSocket:
        """Open a session over WebSocket that is connected to a namespace of the little app."""
        socket = await self.session()
        await socket.connect_namespace(namespace)
        assert "auth" in str(await socket.receive())
        return socket

    async def request(self, method: str, query: str, content: bytes | None = None, **headers: str) -> httpx.Response:
        """Send one HTTP request on a connection of its own."""
        async with httpx.AsyncClient(timeout=DEADLINE_S, trust_env=False, verify=False) as client:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.request(method, f"{self.url}?{query}", content=content, headers=named)

    async def poll(self, sid: str) -> httpx.Response:
        return await self.request("GET", f"EIO=4&transport=polling&sid={sid}")

    async def push(self, sid: str, body: bytes | str, **headers: str) -> httpx.Response:
        data = body.encode() if isinstance(body, str) else body
        return await self.request("POST", f"EIO=4&transport=polling&sid={sid}", data, **headers)

    async def polling_session(self) -> str:
        """Open a session over polling; return its sid."""
        answer = await self.request("GET", "EIO=4&transport=polling")
        assert 200 == answer.status_code
        return json.loads(answer.text[1:])["sid"]
