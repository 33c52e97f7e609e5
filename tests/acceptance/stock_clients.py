"""Stock Socket.IO clients behind one face: socket.io-client from npm and python-socketio."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import socketio
from socketio.exceptions import ConnectionError as SocketIOConnectionError

from tests.acceptance.wire_socket import DEADLINE_S, Refused

FOLDER = Path(__file__).with_name("node")
TRANSPORTS = {"websocket": ["websocket"], "polling": ["polling"], "upgrade": ["polling", "websocket"]}


def install() -> None:
    """Install the npm packages unless they are there."""
    if not (FOLDER / "node_modules").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=FOLDER, check=True, capture_output=True)


class StockClient:
    """
    What the tests do with any client.

    Attributes:
        events: What came, as (namespace, event, args).
    """

    def __init__(self) -> None:
        self.events: asyncio.Queue[tuple[str, str, list[Any]]] = asyncio.Queue()

    async def open(self, url: str, namespaces: list[str], transports: list[str], auth: dict[str, Any]) -> None:
        """Connect the namespaces over one connection; raise Refused when one is."""
        raise NotImplementedError

    async def ask(self, namespace: str, event: str, *args: Any) -> Any:
        """Emit and return the ack."""
        raise NotImplementedError

    async def send_binary(self, namespace: str, event: str) -> None:
        """Emit an event with a binary attachment."""
        raise NotImplementedError

    async def ask_binary(self, namespace: str, event: str) -> Any:
        """Emit an event with a binary attachment and return the ack."""
        raise NotImplementedError

    async def transport(self) -> str:
        """Return the name of the current transport."""
        raise NotImplementedError

    async def set_auth(self, auth: dict[str, Any]) -> None:
        """Set what the next CONNECT says."""
        raise NotImplementedError

    async def next(self, namespace: str, event: str) -> list[Any]:
        """Return the arguments of the next such event; others before it are dropped."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                where, name, args = await self.events.get()
                if (where, name) == (namespace, event):
                    return args


class NodeClient(StockClient):
    """socket.io-client in a Node process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        super().__init__()
        self._process = process
        self._answers: list[asyncio.Future[Any]] = []
        self._reader = asyncio.create_task(self._read())

    async def open(self, url: str, namespaces: list[str], transports: list[str], auth: dict[str, Any]) -> None:
        await self.set_auth(auth)
        await self._command("open", {"url": url, "namespaces": namespaces, "transports": transports})

    async def ask(self, namespace: str, event: str, *args: Any) -> Any:
        return await self._command("ask", [namespace, event, *args])

    async def send_binary(self, namespace: str, event: str) -> None:
        await self._command("binary", [namespace, event])

    async def ask_binary(self, namespace: str, event: str) -> Any:
        return await self._command("askBinary", [namespace, event])

    async def transport(self) -> str:
        return str(await self._command("transport", None))

    async def set_auth(self, auth: dict[str, Any]) -> None:
        await self._command("auth", auth)

    async def _command(self, command: str, value: Any) -> Any:
        assert self._process.stdin is not None
        answer = asyncio.get_running_loop().create_future()
        line = {"id": len(self._answers), "command": command, "value": value}
        self._answers.append(answer)
        self._process.stdin.write(orjson.dumps(line) + b"\n")
        async with asyncio.timeout(DEADLINE_S):
            return await answer

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for text in self._process.stdout:
            line = orjson.loads(text)
            if "event" in line:
                namespace, name, *args = line["event"]
                self.events.put_nowait((namespace, name, args))
            elif "error" in line:
                self._answers[line["id"]].set_exception(Refused(line["error"]))
            else:
                self._answers[line["id"]].set_result(line["result"])


class PythonClient(StockClient):
    """python-socketio's AsyncClient."""

    def __init__(self) -> None:
        super().__init__()
        self.client = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.1)
        self._auth: dict[str, Any] = {}

    async def open(self, url: str, namespaces: list[str], transports: list[str], auth: dict[str, Any]) -> None:
        self._auth = auth
        refusals: list[dict[str, Any]] = []
        for namespace in namespaces:
            self.client.on("*", self._on_event(namespace), namespace=namespace)
            self.client.on("connect_error", refusals.append, namespace=namespace)
            self.client.on("disconnect", self._on_disconnect(namespace), namespace=namespace)
            self.client.on("question", _answer, namespace=namespace)
        try:
            await self.client.connect(
                url, auth=lambda: self._auth, namespaces=namespaces, transports=transports, wait_timeout=10
            )
        except SocketIOConnectionError:
            if not refusals:
                raise
            raise Refused(refusals[0]) from None

    def _on_event(self, namespace: str) -> Any:
        async def on_event(name: str, *args: Any) -> None:
            self.events.put_nowait((namespace, name, list(args)))

        return on_event

    def _on_disconnect(self, namespace: str) -> Any:
        async def on_disconnect(reason: str) -> None:
            self.events.put_nowait((namespace, "disconnect", [reason]))

        return on_disconnect

    async def ask(self, namespace: str, event: str, *args: Any) -> Any:
        return await self.client.call(event, args, namespace=namespace, timeout=DEADLINE_S)

    async def send_binary(self, namespace: str, event: str) -> None:
        await self.client.emit(event, {"file": b"\x01\x02\x03"}, namespace=namespace)

    async def ask_binary(self, namespace: str, event: str) -> Any:
        return await self.ask(namespace, event, {"file": b"\x01\x02\x03"})

    async def transport(self) -> str:
        return str(self.client.transport())

    async def set_auth(self, auth: dict[str, Any]) -> None:
        self._auth = auth


def _answer(text: str, *more: Any) -> tuple[str, dict[str, bool]]:
    return f"대답: {text}", {"binary": any(isinstance(part, bytes) for part in more)}


@asynccontextmanager
async def stock_client(kind: str) -> AsyncIterator[StockClient]:
    """Start a client: ``python``, or ``4.8`` or ``4.5`` of npm's."""
    if kind == "python":
        python = PythonClient()
        try:
            yield python
        finally:
            await python.client.shutdown()
        return
    install()
    process = await asyncio.create_subprocess_exec(
        "node", "client.mjs", kind, cwd=FOLDER, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    node = NodeClient(process)
    try:
        yield node
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        node._reader.cancel()
