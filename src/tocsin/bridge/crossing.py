"""From any thread to an event loop: one queue, one pump, one wake-up for all that gathers."""

import asyncio
import concurrent.futures
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from tocsin.application.once import Once
from tocsin.application.ports import Draft
from tocsin.bridge.receipt import Receipt
from tocsin.bridge.turn import Turn
from tocsin.domain.errors import Invalid, Overloaded, TocsinError
from tocsin.domain.identifier import new_id
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.stream import StreamEvent, StreamKey
from tocsin.domain.user_id import UserId

if TYPE_CHECKING:
    from tocsin.bootstrap import Core

T = TypeVar("T")

MAX_WAITING = 100_000
MAX_TOGETHER = 500
MAX_TOGETHER_BYTES = 2**20
PATIENCE_S = 30.0
LAST_PATIENCE_S = 5.0
ASK_TIMEOUT_S = 30.0

# A call holds one place for each KiB, so that the length of the queue bounds its bytes, too.
_PLACE_BYTES = 1_024
_FIRST_DELAY_S = 0.05
_LAST_DELAY_S = 1.0

_log = logging.getLogger(__name__)


class Bridge:
    """
    Carries calls of any thread to the service's loop, in order.

    A call costs its caller microseconds: it is appended to one queue, and the
    loop is woken once for all that gathers there meanwhile. What one thread
    hands over for one user reaches the log, and that user's devices, in the
    order of the calls. Calls that the store refuses for the moment are repeated
    in their order for half a minute, and happen once. What was not committed yet dies with the
    process: ``Receipt.wait`` tells when it is.

    Args:
        loop: The service's; it must be running.
        core: The use-cases, which belong to the loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, core: "Core") -> None:
        self._loop = loop
        self.core = core
        self._is_open = True
        self._is_lost = False
        self._patience_s = PATIENCE_S
        self._owner = f"bridge {new_id()}"
        # Grows by any thread, shrinks by the pump alone; None keeps a place for the bytes of what follows.
        self._waiting: deque[Receipt | Turn | None] = deque()
        self._is_woken = False
        self._pump: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # From any thread

    def hand_over(self, draft: Draft) -> Receipt:
        """
        Accept a durable write; it is committed soon, in its order.

        Raises:
            Overloaded: 100,000 calls or 100 MB wait already, or the service stops.
        """
        receipt = Receipt(self, draft)
        self._put(receipt)
        return receipt

    def emit(self, user_id: UserId | None, namespace: str, event: str, payload: Any) -> None:
        """
        Send an event that no stream keeps to the devices that are there now, after what was handed over before.

        Args:
            user_id: To whom; None is everybody on the namespace.
            namespace: Where.
            event: Its name.
            payload: JSON; copied here.

        Raises:
            Invalid: ``payload`` is not JSON.
            Overloaded: See ``hand_over``.
        """
        try:
            encoded = orjson.dumps(payload)
        except TypeError as error:
            raise Invalid(f"data is not JSON: {error}") from None
        action = partial(self._publish, user_id, namespace, event, orjson.loads(encoded))
        self._put(Turn(action, told=(user_id,), size=len(encoded)))

    def wake(self, keys: Sequence[StreamKey]) -> None:
        """Say that these streams have grown in somebody's own transaction; it never fails, the sweep would tell."""
        if self._is_open:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._wake_streams, tuple(keys))

    def ask(self, use: Callable[["Core"], Awaitable[T]], timeout_s: float = ASK_TIMEOUT_S) -> T:
        """
        Run a use-case after everything handed over before, and return its result.

        Raises:
            Overloaded: It did not even begin, or there was no answer in time and it may still be carried out.
            RuntimeError: Called on the loop's own thread, which would wait for itself.
        """
        self.refuse_on_loop("this function")
        answer: concurrent.futures.Future[T] = concurrent.futures.Future()
        self._put(Turn(partial(self._begin, use, answer), answer=answer))
        try:
            return answer.result(timeout_s)
        except concurrent.futures.TimeoutError:
            if answer.done():
                return answer.result()  # it came at the last moment, or is a TimeoutError of the use-case
            if answer.cancel():
                raise Overloaded("the calls before this one still wait", retry_after_s=1.0) from None
            raise Overloaded(f"no answer after {timeout_s:g} s; it may still be carried out") from None

    def is_dead(self) -> bool:
        """Return whether nobody runs the loop any more; all that waited is refused then."""
        if self._loop.is_running() and not self._is_lost:
            return False
        self.abandon()
        return True

    def refuse_on_loop(self, what: str) -> None:
        """Raise RuntimeError on the loop's own thread, with what to do instead."""
        if self._is_on_loop():
            raise RuntimeError(
                f"{what} would block the event loop that answers it: in an async function await "
                "service.create_notification(…), service.publish(…), service.send_message(…) or what "
                "service.devices has instead"
            )

    def _is_on_loop(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def abandon(self) -> None:
        """Refuse all that waits and all that comes: there is no loop to carry it."""
        self._is_open = False
        waiting = []
        with suppress(IndexError):  # another thread may do the same
            while True:
                waiting.append(self._waiting.popleft())
        if writes := sum(isinstance(entry, Receipt) for entry in waiting):
            _log.error("%d calls were given up: the event loop has ended", writes)
        _refuse(waiting, Overloaded("the server has stopped; this was not committed"))

    def lose(self) -> None:
        """Drop it in a forked child, where nobody runs the loop and what waits is the parent's to carry."""
        self._is_open = False
        self._is_lost = True
        self._waiting.clear()

    def _put(self, entry: Receipt | Turn) -> None:
        if self._is_shut():
            raise Overloaded("the server is stopping", retry_after_s=5.0)
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded("too many calls are waiting", retry_after_s=1.0)
        if entry.size < _PLACE_BYTES:
            self._waiting.append(entry)
        else:
            self._waiting.extend((*[None] * (entry.size // _PLACE_BYTES), entry))
        # No wake-up is lost: the entry stands before the flag is read, and the pump takes the flag down before it
        # looks for the last time. Whoever reads it up is seen by that look; whoever reads it down wakes.
        if not self._is_woken:
            try:
                self._wake_loop()
            except BaseException:
                # Also what a signal handler raised: the flag must not stay up without a wake-up behind it.
                self._is_woken = False
                self._withdraw(entry)
                if self._is_shut():
                    self.abandon()
                raise
        # The same way round: `close` shuts before its last look, so what that look missed is found shut out here.
        if self._is_shut() and self._withdraw(entry):
            raise Overloaded("the server is stopping", retry_after_s=5.0)

    def _is_shut(self) -> bool:
        return not self._is_open

    def _wake_loop(self) -> None:
        self._is_woken = True
        try:
            self._loop.call_soon_threadsafe(self._start_pump)
        except RuntimeError:  # the loop is closed
            self._is_open = False
            raise Overloaded("the server has stopped") from None

    def _withdraw(self, entry: Receipt | Turn) -> bool:
        with suppress(ValueError):
            self._waiting.remove(entry)
            with suppress(ValueError):  # the pump may have passed its places
                for _ in range(entry.size // _PLACE_BYTES):
                    self._waiting.remove(None)
            return True
        return False

    # On the loop's thread

    async def flush(self) -> None:
        """Return when all that was handed over before is committed or refused, and all that was asked is begun."""
        if not self._waiting and self._pump is None:
            return
        reached = asyncio.Event()
        self._waiting.append(Turn(reached.set))
        self._start_pump()
        await reached.wait()

    async def close(self) -> None:
        """Refuse what is new, carry out what was accepted, answer what was asked."""
        self._is_open = False
        await self._drain()

    async def _drain(self) -> None:
        self._patience_s = LAST_PATIENCE_S
        while self._waiting or self._pump is not None or self._tasks:
            self._start_pump()
            await asyncio.wait([task for task in (self._pump, *self._tasks) if task is not None])

    def _start_pump(self) -> None:
        if self._pump is None:
            self._pump = self._loop.create_task(self._carry(), name="tocsin-bridge")

    async def _carry(self) -> None:
        batch: list[Receipt | Turn] = []
        try:
            while batch := self._take():
                await self._carry_out(batch)
                batch = []
                await asyncio.sleep(0)  # live events alone wait for nothing, and may come without end
        except BaseException:  # the loop cancels what still runs when it ends
            _refuse(batch, Overloaded("the server was stopped; whether this was committed is not known"))
            self.abandon()
            raise
        finally:
            self._pump = None

    def _take(self) -> list[Receipt | Turn]:
        batch: list[Receipt | Turn] = []
        writes = size = 0
        while writes < MAX_TOGETHER and size < MAX_TOGETHER_BYTES:
            try:
                entry = self._waiting.popleft()
            except IndexError:
                if batch:
                    break
                self._is_woken = False
                if not self._waiting:
                    break
                self._is_woken = True
                continue
            if entry is not None:
                batch.append(entry)
                copies = len(_users(entry.draft)) if isinstance(entry, Receipt) and entry.draft else 1
                writes += copies
                size += copies * entry.size
        return batch

    async def _carry_out(self, batch: Sequence[Receipt | Turn]) -> None:
        writes: list[Receipt] = []
        turns: list[Turn] = []
        told: set[UserId | None] = set()
        for entry in batch:
            if isinstance(entry, Turn):
                turns.append(entry)
                told.update(entry.told)
                continue
            # One transaction takes all writes, unless one has to come after something that its user is told before.
            if told and entry.draft and (None in told or not told.isdisjoint(_users(entry.draft))):
                await self._commit(writes)
                _take_turns(turns)
                writes, turns, told = [], [], set()
            writes.append(entry)
        await self._commit(writes)
        _take_turns(turns)

    async def _commit(self, writes: Sequence[Receipt]) -> None:
        if not writes:
            return
        try:
            told = await self._write(writes)
        except Exception as error:  # noqa: BLE001 logged, and each caller gets its own
            if len(writes) > 1 and not (isinstance(error, TocsinError) and error.retryable):
                for one in writes:
                    await self._commit([one])
                return
            if isinstance(error, TocsinError):
                _log.error("%d calls were given up: %s", len(writes), error.detail)
            else:
                _log.exception("a call was given up")
            for one in writes:
                one.settle(error=error)
        else:
            for one, events in zip(writes, told, strict=True):
                one.settle(events, self.core.store.epoch)

    async def _write(self, writes: Sequence[Receipt]) -> list[list[StreamEvent]]:
        drafts = [one.draft for one in writes if one.draft is not None]
        # An attempt whose answer was lost may have been committed, or may yet be: the next one finds it by this.
        once = Once(self._owner, "latest", new_id().encode(), takes_over=True)
        delay_s = _FIRST_DELAY_S
        while True:
            try:
                return await self.core.store.write_many(drafts, once)
            except TocsinError as refusal:
                if not refusal.retryable or time.monotonic() > writes[-1].handed_over_at + self._patience_s:
                    raise
                if delay_s == _FIRST_DELAY_S:
                    _log.warning("%d calls wait: %s", len(writes), refusal.detail)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _LAST_DELAY_S)

    def _publish(self, user_id: UserId | None, namespace: str, event: str, payload: Any) -> None:
        self.core.bus.publish_ephemeral(user_id, namespace, event, payload)

    def _wake_streams(self, keys: Sequence[StreamKey]) -> None:
        self.core.bus.wake(keys)

    def _begin(self, use: Callable[["Core"], Awaitable[T]], answer: concurrent.futures.Future[T]) -> None:
        if not answer.set_running_or_notify_cancel():
            return  # nobody waits for it any more
        task = self._loop.create_task(self._answer(use, answer), name="tocsin-ask")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, use: Callable[["Core"], Awaitable[T]], answer: concurrent.futures.Future[T]) -> None:
        try:
            answer.set_result(await use(self.core))
        except asyncio.CancelledError:
            answer.set_exception(Overloaded("the server was stopped; whether this was done is not known"))
            raise
        except Exception as error:  # noqa: BLE001 the caller gets it
            answer.set_exception(error)


def _refuse(entries: Iterable[Receipt | Turn | None], error: TocsinError) -> None:
    for entry in entries:
        if isinstance(entry, Receipt):
            entry.settle(error=error)
        elif entry is not None and entry.answer is not None and not entry.answer.done():
            entry.answer.set_exception(error)


def _take_turns(turns: Sequence[Turn]) -> None:
    for turn in turns:
        try:
            turn.action()
        except Exception:  # noqa: BLE001 logged
            _log.exception("an event was not sent")


def _users(draft: Draft) -> Sequence[UserId]:
    if isinstance(draft, NotificationDraft):
        return (draft.user_id,)
    if isinstance(draft, MessageDraft):
        return (draft.from_user_id, draft.to_user_id)
    return draft.user_ids
