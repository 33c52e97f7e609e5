"""
Sends to other channels through Apprise: e-mail, Slack, Teams, Matrix and some hundred more.

Apprise is an extra, and slow to import: that is done by the first use, off the loop. It sends
with blocking sockets, in a few threads of its own; it says whether it worked and not why. What it would log may hold
URLs and texts, so that it logs nothing.
"""

import asyncio
import importlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tocsin.domain.channel import Channel
from tocsin.domain.errors import Invalid
from tocsin.domain.push import Outcome, PushMessage

MISSING = "the package of other channels is missing: pip install 'tocsin[channels]'"
# One that hangs has a thread until its time-outs; so many may before others wait.
THREADS = 16
SEND_S = 30.0
_CONNECT_S = 4.0
_READ_S = 10.0
# Plug-ins that speak to the machine that the server runs on.
_LOCAL = frozenset({"blink1", "dbus", "glib", "gnome", "macosx", "syslog", "windows"})


class AppriseSender:
    """Implements ``PushSender`` for channels, and ``ChannelUrls``. Belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._threads: ThreadPoolExecutor | None = None
        self._places = asyncio.Semaphore(THREADS)
        self._has_stopped = False

    async def start(self) -> None:
        """Nothing is needed yet."""

    async def stop(self) -> None:
        """Begin nothing more; what hangs in a thread is left to its time-outs."""
        self._has_stopped = True
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

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
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="tocsin-channels")
        try:
            async with asyncio.timeout(SEND_S):
                await self._places.acquire()
        except TimeoutError:
            return Outcome("retry", "too many channels hang")
        if self._has_stopped:
            self._places.release()
            return Outcome("retry", "the server stops")
        # Its place is free when the thread has ended, not when nobody waits for it any more.
        sending = self._threads.submit(_notify, target.url, message)
        loop = asyncio.get_running_loop()
        sending.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(self._places.release))
        waiting = asyncio.wrap_future(sending)
        await asyncio.wait({waiting}, timeout=SEND_S)
        if not waiting.done():
            # It may still arrive, and then come twice: no mail can be taken back.
            return Outcome("retry", "timeout")
        return Outcome("retry", "the server stops") if waiting.cancelled() else waiting.result()


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
