"""The bridge of a process that serves no sockets: a Core of its own, opened by the first call that needs it."""

import asyncio
import concurrent.futures
import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tocsin.application.ports import Draft
from tocsin.bridge.crossing import PATIENCE_S, Bridge
from tocsin.bridge.receipt import Receipt
from tocsin.domain.errors import Overloaded
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId

if TYPE_CHECKING:
    from tocsin.bootstrap import Core

_log = logging.getLogger(__name__)


T = TypeVar("T")


class OwnBridge(Bridge):
    """
    Runs a Core on a thread of its own, from the first call to ``halt``; then again from the next call.

    ``hand_over`` returns after the commit: nothing is lost when the process is
    killed after it. What waits outlives the Core, so that a fork or a Core that
    could not start costs nobody a call.

    Args:
        make_core: Makes a Core, not started; what it raises, the caller of each function gets.
        new_loop: Makes its event loop.
        is_heard: Whether its bus reaches other nodes, so that a Core is opened only to wake them.
    """

    def __init__(
        self,
        make_core: Callable[[], "Core"],
        new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
        *,
        is_heard: Callable[[], bool] = lambda: False,
    ) -> None:
        # Both are set by the thread, before anybody is let through to them; the core is None while there is none.
        super().__init__(cast("asyncio.AbstractEventLoop", None), cast("Core", None))
        self._make_core = make_core
        self._new_loop = new_loop
        self._thread: threading.Thread | None = None
        self._started: concurrent.futures.Future[None] | None = None
        self._pid = os.getpid()
        self._end: asyncio.Event
        self._is_heard = is_heard
        self._has_listeners: bool | None = None
        self._has_complained = False
        self._waking = threading.RLock()  # a signal handler may come in between
        self._to_wake: list[StreamKey] = []
        self._waker: threading.Thread | None = None
        # Held while the Core starts or ends, and by a fork: whoever has to wake the loop meanwhile waits.
        self.changing = threading.RLock()

    def hand_over(self, draft: Draft) -> Receipt:
        """
        Commit a durable write, in its order, and return then.

        Raises:
            StartError: The database can't be opened; the next call tries again.
            TocsinError: The write was refused.
        """
        receipt = super().hand_over(draft)
        if not self._is_on_loop():
            receipt.wait()
        return receipt

    def emit(self, user_id: UserId | None, namespace: str, event: str, payload: Any) -> None:
        """See ``Bridge``. Where its bus reaches no other node nobody hears it, which the log says once."""
        super().emit(user_id, namespace, event, payload)
        if self._has_listeners is None:
            self._has_listeners = self._is_heard()
        if not self._has_listeners and not self._has_complained:
            self._has_complained = True
            _log.warning(
                "nobody hears %r: it is not stored, and without TOCSIN_REDIS_URL it does not leave this process", event
            )

    def wake(self, keys: Sequence[StreamKey]) -> None:
        """See ``Bridge``. It waits for no Core: one is opened aside, if others hear its bus; else their sweep tells."""
        # Not a moment for a Core that starts or ends: the caller has just committed.
        if self._is_running() and self.changing.acquire(blocking=False):
            try:
                if self._is_running():
                    super().wake(keys)
                    return
            finally:
                self.changing.release()
        if self._has_listeners is None:
            self._has_listeners = self._is_heard()
        if not self._has_listeners:
            return
        with self._waking:
            self._to_wake += keys
            if self._waker is None:
                # Waited for at the end of the process, so that a script's last commit is heard, too.
                waker = threading.Thread(target=self._open_and_wake, name="tocsin-waker", daemon=False)
                waker.start()
                self._waker = waker

    def _open_and_wake(self) -> None:
        try:
            with self.changing:
                if not self._is_running():
                    self._start()
                with self._waking:
                    keys, self._to_wake, self._waker = tuple(dict.fromkeys(self._to_wake)), [], None
                super().wake(keys)
        except Exception:  # noqa: BLE001 logged
            with self._waking:
                self._to_wake, self._waker = [], None
            _log.warning("other nodes were not woken, they find what was committed by their sweep", exc_info=True)

    def is_dead(self) -> bool:
        """Start what has ended: here nothing that waits is given up."""
        if not self._is_running():
            self._wake_loop()
        return False

    def abandon(self) -> None:
        """Keep what waits for the next Core."""
        self._is_woken = False

    def halt(self) -> None:
        """Commit what waits and end the Core; safe from any thread but its own."""
        if self.is_inherited():
            return  # it is the parent's
        with self.changing:
            if self._started is not None and not self._started.cancel():
                with suppress(Exception):  # a call that was interrupted may have left it at its start
                    self._started.result()
            if self._is_running():
                assert self._thread is not None
                self._loop.call_soon_threadsafe(self._end.set)
                self._thread.join()
            self._thread = self._started = None
            self.core = cast("Core", None)  # the next one may have other settings
            self._has_listeners = None

    def is_inherited(self) -> bool:
        """Return whether a Core runs here that a fork brought along without the hooks of Python."""
        return self._started is not None and self._pid != os.getpid()

    def _is_running(self) -> bool:
        started = self._started
        if started is None or not started.done() or started.cancelled() or started.exception() is not None:
            return False
        return self._thread is not None and self._thread.is_alive() and not self.is_inherited()

    def _wake_loop(self) -> None:
        with self.changing:
            if not self._is_running():
                self._start()
            super()._wake_loop()

    def _start(self) -> None:
        started = self._started
        # One that has begun is waited for: an interrupted call left it, or this is a signal handler in its middle.
        if started is None or started.done() or started.cancel():
            core = self._make_core()
            started = concurrent.futures.Future()
            thread = threading.Thread(target=self._serve, args=(core, started), name="tocsin-bridge", daemon=True)
            self._thread, self._started, self._pid = thread, started, os.getpid()
            try:
                thread.start()
            except RuntimeError as error:
                raise Overloaded(f"the database can't be opened now: {error}") from None
        assert self._started is not None
        self._started.result()

    # In its thread

    def _serve(self, core: "Core", started: concurrent.futures.Future[None]) -> None:
        if not started.set_running_or_notify_cancel():
            return  # another has begun meanwhile
        try:
            loop = self._new_loop()
        except Exception as error:  # noqa: BLE001 raised in the thread that waits
            started.set_exception(error)
            return
        loop.set_default_executor(_ThreadEach())
        try:
            loop.run_until_complete(self._live(core, started))
        finally:
            loop.close()

    async def _live(self, core: "Core", started: concurrent.futures.Future[None]) -> None:
        try:
            await core.start()
        except BaseException as error:  # noqa: BLE001 raised in the thread that waits
            started.set_exception(error)
            return
        self._loop, self.core, self._end = asyncio.get_running_loop(), core, asyncio.Event()
        self._patience_s = PATIENCE_S
        started.set_result(None)
        try:
            await self._end.wait()
            await self._drain()
        finally:
            await core.stop()


class _ThreadEach(concurrent.futures.ThreadPoolExecutor):
    """
    Runs each call in a thread of its own.

    The usual executor refuses all work from the moment that the interpreter
    begins to end, when handlers of the host still publish and the database is
    yet to be closed.
    """

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[T]:
        """See ``Executor``."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def work() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 raised where it is awaited
                future.set_exception(error)

        try:
            threading.Thread(target=work, name="tocsin-bridge-work", daemon=True).start()
        except RuntimeError:  # newer interpreters start no thread at their end
            work()
        return future
