"""The bridge of a process that serves no sockets: a Core of its own, opened by the first call that needs it."""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from tocsin.application.ports import Draft
from tocsin.bridge.crossing import PATIENCE_S, Bridge
from tocsin.bridge.receipt import Receipt
from tocsin.domain.stream import StreamKey

if TYPE_CHECKING:
    from tocsin.bootstrap import Core


class OwnBridge(Bridge):
    """
    Runs a Core on a thread of its own, from the first call to ``halt``; then again from the next call.

    ``hand_over`` returns after the commit: nothing is lost when the process is
    killed after it. What waits outlives the Core, so that a fork or a Core that
    could not start costs nobody a call.

    Args:
        make_core: Makes a Core, not started; what it raises, the caller of each function gets.
        new_loop: Makes its event loop.
    """

    def __init__(
        self, make_core: Callable[[], "Core"], new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    ) -> None:
        # Both are set by the thread, before anybody is let through to them.
        super().__init__(cast("asyncio.AbstractEventLoop", None), cast("Core", None))
        self._make_core = make_core
        self._new_loop = new_loop
        self._thread: threading.Thread | None = None
        self._end: asyncio.Event
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

    def wake(self, keys: Sequence[StreamKey]) -> None:
        """See ``Bridge``; without a running Core the sweep of the nodes tells."""
        with self.changing:
            if self._is_running():
                super().wake(keys)

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
        with self.changing:
            if self._is_running():
                assert self._thread is not None
                self._loop.call_soon_threadsafe(self._end.set)
                self._thread.join()
            self._thread = None

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _wake_loop(self) -> None:
        with self.changing:
            if not self._is_running():
                self._start()
            super()._wake_loop()

    def _start(self) -> None:
        core = self._make_core()
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._serve, args=(core, started), name="tocsin-bridge", daemon=True)
        self._thread.start()
        started.result()

    # In its thread

    def _serve(self, core: "Core", started: concurrent.futures.Future[None]) -> None:
        with asyncio.Runner(loop_factory=self._new_loop) as runner:
            runner.run(self._live(core, started))

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
