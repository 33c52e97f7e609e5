"""Reading streams, deciding on resumes, and keeping acks."""

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple

from tocsin.application.ports import Store
from tocsin.domain.errors import Invalid, TocsinError
from tocsin.domain.stream import MAX_REPLAY, Head, Slice, StreamKey, resync_reason

ACK_DELAY_S = 1.0

_log = logging.getLogger(__name__)


class Resume(NamedTuple):
    """
    What to do with a cursor.

    Attributes:
        head: The stream's head when it was decided.
        resync: Why the client must refetch, or None: send what follows its cursor.
    """

    head: Head
    resync: str | None


class Streams:
    """
    Use-cases of streams. Belongs to the event loop's thread.

    Acks are gathered and written at most once a second, all in one
    transaction. An ack lost in a crash costs nothing but a later escalation:
    the client's own cursor decides on what it is sent.
    """

    def __init__(self, store: Store, *, ack_delay_s: float = ACK_DELAY_S) -> None:
        self._store = store
        self._ack_delay_s = ack_delay_s
        self._acks: dict[StreamKey, int] = {}
        self._saving: asyncio.Task[None] | None = None

    @property
    def epoch(self) -> str:
        """Return the epoch of every cursor given out now."""
        return self._store.epoch

    async def read(self, key: StreamKey, after: int, limit: int = MAX_REPLAY) -> Slice:
        """
        Return the events after a seq, ascending, with the head of the same snapshot.

        Raises:
            Invalid: ``after`` is negative or ``limit`` is not 1 to 1,000.
        """
        check_seq("after", after)
        if not 1 <= limit <= MAX_REPLAY:
            raise Invalid(f"limit must be 1 to {MAX_REPLAY}")
        return await self._store.read_stream(key, after, limit)

    async def heads(self, keys: Sequence[StreamKey]) -> list[Head]:
        """Return the head of each stream, in the order asked."""
        return await self._store.heads(keys)

    async def resume(self, key: StreamKey, epoch: str | None, last_seq: int) -> Resume:
        """
        Decide on a client's cursor (delivery contract, 4 and 5).

        Raises:
            Invalid: ``last_seq`` is negative.
        """
        check_seq("last_seq", last_seq)
        (head,) = await self._store.heads([key])
        return Resume(head, resync_reason(epoch, last_seq, head, self._store.epoch))

    def ack(self, key: StreamKey, seq: int) -> None:
        """
        Note that a device has everything up to ``seq``; the highest wins.

        Raises:
            Invalid: ``seq`` is negative.
        """
        check_seq("seq", seq)
        if seq > self._acks.get(key, 0):
            self._acks[key] = seq
            if self._saving is None:
                self._saving = asyncio.create_task(self._save_soon(), name="tocsin-acks")

    async def stop(self) -> None:
        """Write the acks that wait."""
        if self._saving is not None:
            self._saving.cancel()
            await asyncio.gather(self._saving, return_exceptions=True)
        await self._save()

    async def _save_soon(self) -> None:
        while self._acks:
            await asyncio.sleep(self._ack_delay_s)
            await self._save()
        self._saving = None

    async def _save(self) -> None:
        acks, self._acks = self._acks, {}
        if not acks:
            return
        try:
            await self._store.save_acks(acks)
        except TocsinError as error:
            _log.warning("acks wait: %s", error)
            for key, seq in acks.items():
                self._acks[key] = max(seq, self._acks.get(key, 0))


def check_seq(field: str, seq: object) -> None:
    """Raise Invalid unless it is an integer from 0 to 2^53 - 1, what JSON carries exactly."""
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**53:
        raise Invalid(f"{field} must be an integer that is not negative")
