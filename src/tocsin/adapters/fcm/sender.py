"""
Sends to devices through Firebase, by a worker process of its own.

A push costs 0.4 ms of Python: in a thread of the serving process 1,000 a second
hold the interpreter for half of the time, which its sockets wait for; this way
they cost that process a thirtieth. The worker is started by the first push, and
again by the next after it died; one that says nothing any more is killed.
"""

import asyncio
import itertools
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tocsin.adapters.fcm.wire import Outgoing, receive
from tocsin.domain.device import Device
from tocsin.domain.push import Outcome, PushMessage

MAX_TOGETHER = 500
# More than the worker takes for a message and the trial of its target.
ANSWER_S = 60.0
TIMEOUT_S = 10.0
_MAX_UNDER_WAY = 10_000
_STOP_S = 5.0

_MENDS = {
    "SENDER_ID_MISMATCH": "a device belongs to another Firebase project: the app and FIREBASE_CREDENTIALS_PATH "
    "must be of the same one",
    "PERMISSION_DENIED": "Firebase refuses this service account: enable the Firebase Cloud Messaging API (V1) for the "
    "project of FIREBASE_CREDENTIALS_PATH",
    "THIRD_PARTY_AUTH_ERROR": "Firebase has no valid APNs key or Web Push certificate: upload it in the Firebase "
    "console, Project settings, Cloud Messaging",
    "UNAUTHENTICATED": "Firebase refuses the access token of FIREBASE_CREDENTIALS_PATH",
    "NO_ACCESS": "Google gives no access token for the key of FIREBASE_CREDENTIALS_PATH: it was revoked, or the clock "
    "of this machine is wrong",
}

_log = logging.getLogger(__name__)


class FcmSender:
    """
    The ``PushSender`` of devices. Belongs to the event loop's thread.

    Args:
        key: The content of the project's key file.
        url: Where messages go instead of ``https://fcm.googleapis.com``.
        timeout_s: How long Firebase may take to answer.
    """

    def __init__(self, key: dict[str, Any], url: str | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        self._opening = {"key": key, "url": url, "timeout_s": timeout_s}
        # A task, which goes on when the push that began it is cancelled.
        self._worker: asyncio.Task[_Worker] | None = None
        self._is_stopped = False
        self._under_way = 0
        self._explained: set[str] = set()

    async def start(self) -> None:
        """Do nothing: the first push starts the worker."""

    async def stop(self) -> None:
        """End the worker; what it has not answered is told to come again."""
        self._is_stopped = True
        if self._worker is not None:
            with suppress(OSError):
                await (await self._worker).stop()

    async def send(self, message: PushMessage, targets: Sequence[Device]) -> list[Outcome]:
        """Try each device once, 500 at a time; see ``PushSender``."""
        return await self._send_all({"message": message}, targets)

    async def retract(self, tags: Sequence[str], targets: Sequence[Device]) -> list[Outcome]:
        """Tell each device to take back what it may still show, by the tags of the messages."""
        return await self._send_all({"retract": list(tags)}, targets)

    async def _send_all(self, task: dict[str, Any], targets: Sequence[Device]) -> list[Outcome]:
        if self._under_way + len(targets) > _MAX_UNDER_WAY > len(targets):
            return [Outcome("retry", "too many pushes under way")] * len(targets)
        self._under_way += len(targets)
        try:
            if len(targets) <= MAX_TOGETHER:
                outcomes = await self._send(task, targets)
            else:
                batches = [targets[start : start + MAX_TOGETHER] for start in range(0, len(targets), MAX_TOGETHER)]
                answers = await asyncio.gather(*[self._send(task, batch) for batch in batches])
                outcomes = list(itertools.chain.from_iterable(answers))
        finally:
            self._under_way -= len(targets)
        for outcome in outcomes:
            if outcome.kind == "refused":
                self._explain(outcome.reason)
        return outcomes

    async def _send(self, task: dict[str, Any], devices: Sequence[Device]) -> list[Outcome]:
        try:
            worker = await self._living_worker()
        except OSError as error:
            return [Outcome("retry", f"no worker: {error.strerror}")] * len(devices)
        if worker is None:
            return [Outcome("retry", "stopped")] * len(devices)
        return await worker.ask(task, [(device.kind, device.token) for device in devices])

    async def _living_worker(self) -> "_Worker | None":
        if self._is_stopped:
            return None
        if self._worker is None or _is_of_no_use(self._worker):
            self._worker = asyncio.create_task(_Worker.start(self._opening), name="tocsin-fcm-start")
        if self._worker.done():
            return self._worker.result()
        return await asyncio.shield(self._worker)

    def _explain(self, reason: str) -> None:
        if reason in _MENDS and reason not in self._explained:
            self._explained.add(reason)
            _log.error("push: %s", _MENDS[reason])


class _Worker:
    """A process that speaks to Firebase, and who waits for its answers."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        end: socket.socket,
    ) -> None:
        self._process = process
        self._end = end
        self._writer = writer
        self._outgoing = Outgoing(writer)
        # Gets the outcomes of its targets, or why there are none.
        self._waiting: dict[int, asyncio.Future[list[list[Any]] | str]] = {}
        self._ids = itertools.count()
        self._is_stopping = False
        self.is_dead = False
        self._heard_at = time.monotonic()
        self._living = asyncio.create_task(self._live(reader), name="tocsin-fcm")

    @classmethod
    async def start(cls, opening: dict[str, Any]) -> "_Worker":
        ours, theirs = socket.socketpair()
        with theirs:
            # Not asyncio's: it needs the main thread under some loops. And a session of its own, so that Ctrl-C
            # in a terminal does not end it before those who still push.
            try:
                process = await asyncio.to_thread(_start_process, theirs)
            except OSError:
                ours.close()
                raise
        end = ours.dup()
        reader, writer = await asyncio.open_connection(sock=ours)
        worker = cls(process, reader, writer, end)
        worker._outgoing.put(opening)
        return worker

    async def ask(self, task: dict[str, Any], targets: Sequence[tuple[str, str]]) -> list[Outcome]:
        """Return what became of each target; ``retry`` where the worker gives no answer."""
        if self.is_dead:
            return [Outcome("retry", "the worker ended")] * len(targets)
        loop = asyncio.get_running_loop()
        number = next(self._ids)
        try:
            self._outgoing.put({"id": number, **task, "targets": targets})
        except TypeError:  # such as data that is nested too deeply
            return [Outcome("refused", "not a message")] * len(targets)
        answer = self._waiting[number] = loop.create_future()
        late = loop.call_later(ANSWER_S, self._be_late, answer)
        try:
            told = await answer
        finally:
            late.cancel()
            del self._waiting[number]
        return [Outcome("retry", told)] * len(targets) if isinstance(told, str) else [Outcome(*one) for one in told]

    def _be_late(self, answer: "asyncio.Future[list[list[Any]] | str]") -> None:
        _answer(answer, "no answer")
        # It answers each by then, whatever Firebase does: one that says nothing at all is stuck.
        if time.monotonic() - self._heard_at >= ANSWER_S and not self.is_dead:
            self.is_dead = True
            _log.error("push: the process that speaks to Firebase gives no answer, and is killed")
            self._process.kill()

    async def stop(self) -> None:
        """End the process, by force if it does not go."""
        self._is_stopping = True
        with suppress(OSError):
            # Also its copies in forked processes, which would keep the worker.
            self._end.shutdown(socket.SHUT_RDWR)
        await self._living

    async def _live(self, reader: asyncio.StreamReader) -> None:
        with self._end:
            while messages := await receive(reader):
                self._heard_at = time.monotonic()
                for message in messages:
                    if (answer := self._waiting.get(message["id"])) is not None:
                        _answer(answer, message["outcomes"])
            self.is_dead = True
            if not self._is_stopping:
                _log.error("push: the process that speaks to Firebase ended; the next push starts it again")
            for answer in self._waiting.values():
                _answer(answer, "the worker ended")
            self._writer.close()
        try:
            await asyncio.to_thread(self._process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)


def _answer(waiting: "asyncio.Future[list[list[Any]] | str]", told: list[list[Any]] | str) -> None:
    if not waiting.done():
        waiting.set_result(told)


def _is_of_no_use(worker: asyncio.Task[_Worker]) -> bool:
    return worker.done() and (worker.exception() is not None or worker.result().is_dead)


def _start_process(connection: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "tocsin.adapters.fcm.worker"],
        stdin=connection.fileno(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
