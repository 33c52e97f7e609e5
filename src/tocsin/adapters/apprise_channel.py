"""
Sends to other channels through Apprise: e-mail, Slack, Teams, Matrix and some hundred more.

Apprise is an extra, and slow to import: that is done by the first use, off the loop. It sends
with blocking sockets, in a thread each; it says whether it worked and not why. What it would log may hold
URLs and texts, so that it logs nothing.
"""

import asyncio
import importlib
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tocsin.domain.channel import Channel
from tocsin.domain.errors import Invalid
from tocsin.domain.push import Outcome, PushMessage

MISSING = "the package of other channels is missing: pip install 'tocsin[channels]'"
# So many are waited for at once, each for so long.
PLACES = 16
SEND_S = 30.0
# So many threads ask a server that answers nobody. What else would wait for it is told at once, and comes again.
FEW = 4
# Apprise tells no time-out from a refusal; a server that refuses does so sooner.
_SILENT_S = 3.0
_CONNECT_S = 4.0
_READ_S = 10.0
# Plug-ins that speak to the machine that the server runs on.
_LOCAL = frozenset({"blink1", "dbus", "glib", "gnome", "macosx", "syslog", "windows"})


class AppriseSender:
    """Implements ``PushSender`` for channels, and ``ChannelUrls``. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(PLACES)
        # By its host, as long as anything is sent there, or it answers nobody.
        self._servers: dict[str, _Server] = {}
        self._has_stopped = False

    async def start(self) -> None:
        """Nothing is needed yet."""

    async def stop(self) -> None:
        """Begin nothing more; what hangs in a thread is left to its time-outs."""
        self._has_stopped = True

    async def check(self, url: str) -> None:
        """
        Accept a URL that Apprise can send to, and that does not mean this very machine's desktop or log.

        Raises:
            Invalid: It can't, or the package is missing; the detail does not tell the URL.
        """
        try:
            service = await asyncio.to_thread(_instantiate, url)
        except ModuleNotFoundError:
            raise Invalid(MISSING) from None
        if service is None:
            raise Invalid("url is none that Apprise can send to: see its list of services for the form of each")
        # What it is for Apprise: a scheme has many names, and many ways to be written.
        if type(service).__module__.rpartition(".")[2] in _LOCAL:
            raise Invalid("url must not be one of the server's own machine, such as syslog:// or dbus://")

    async def send(self, message: PushMessage, targets: Sequence[Channel]) -> list[Outcome]:
        """Try each channel once."""
        return await asyncio.gather(*[self._send(message, target) for target in targets])

    async def _send(self, message: PushMessage, target: Channel) -> Outcome:
        host = target.url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2].lower()
        server = self._servers.setdefault(host, _Server())
        if (refusal := self._refusal(server)) is not None:
            return refusal
        try:
            async with asyncio.timeout(SEND_S):
                await self._places.acquire()
        except TimeoutError:
            return Outcome("retry", "too many channels hang")
        try:
            # It may have stopped, or the server have turned out to hang, meanwhile.
            return self._refusal(server) or await _ask(server, target.url, message)
        finally:
            self._places.release()
            if not server.threads and not server.is_silent:
                self._servers.pop(host, None)

    def _refusal(self, server: "_Server") -> Outcome | None:
        if self._has_stopped:
            return Outcome("retry", "the server stops")
        if server.is_silent and server.threads >= FEW:
            return Outcome("retry", "it answers nobody")
        return None


@dataclass(slots=True)
class _Server:
    """
    Where channels lead to. Belongs to the event loop's thread.

    Attributes:
        threads: How many ask it, whether or not they are still waited for.
        answered_at: When it answered last, in monotonic seconds.
        is_silent: Somebody had no answer, and nobody has had one since.
    """

    threads: int = 0
    answered_at: float = 0.0
    is_silent: bool = False

    def answered(self, outcome: Outcome, begun_at: float) -> None:
        """Take what came of asking."""
        now = time.monotonic()
        if outcome.kind == "retry" and now - begun_at >= _SILENT_S:
            self.missed(begun_at)
        else:
            self.answered_at, self.is_silent = now, False

    def missed(self, begun_at: float) -> None:
        """Take that nothing was answered since an instant."""
        self.is_silent |= self.answered_at < begun_at


async def _ask(server: _Server, url: str, message: PushMessage) -> Outcome:
    loop = asyncio.get_running_loop()
    told: asyncio.Future[Outcome] = loop.create_future()
    begun_at = time.monotonic()

    def tell(outcome: Outcome) -> None:
        server.threads -= 1
        server.answered(outcome, begun_at)
        if not told.done():
            told.set_result(outcome)

    def send() -> None:
        outcome = _notify(url, message)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, outcome)

    # None of a pool, whose threads an exit waits for: one whose server goes on sending bytes never ends.
    threading.Thread(target=send, name="tocsin-channel", daemon=True).start()
    server.threads += 1
    await asyncio.wait({told}, timeout=SEND_S)
    if not told.done():
        server.missed(begun_at)
        # It may still arrive, and then come twice: no mail can be taken back.
        return Outcome("retry", "timeout")
    return told.result()


def _notify(url: str, message: PushMessage) -> Outcome:
    try:
        service = _instantiate(url)
        if service is None:
            return Outcome("refused", "a URL that Apprise does not know")
        body = message.body if message.link is None else f"{message.body}\n\n{message.link}"
        # Apprise takes an empty body for no message.
        is_sent = service.notify(body=body or message.title, title=message.title, body_format="text")
    except ModuleNotFoundError:
        return Outcome("refused", MISSING)
    except Exception as error:  # noqa: BLE001 a plug-in of Apprise may raise anything, and its text may hold the URL
        return Outcome("retry", type(error).__name__)
    return Outcome("sent") if is_sent else Outcome("retry", "not taken")


def _instantiate(url: str) -> Any:
    apprise = importlib.import_module("apprise")
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if service is not None:
        service.socket_connect_timeout = min(service.socket_connect_timeout or _CONNECT_S, _CONNECT_S)
        service.socket_read_timeout = min(service.socket_read_timeout or _READ_S, _READ_S)
    return service
