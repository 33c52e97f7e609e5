"""Reading streams and keeping acks. What a resume sends is realtime's to decide."""

import asyncio
import logging

from tocsin.application.ports import Store
from tocsin.domain.errors import Invalid, TocsinError
from tocsin.domain.stream import MAX_REPLAY, Slice, StreamKey

ACK_DELAY_S = 1.0

_log = logging.getLogger(__name__)


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

    async def read(self, key: StreamKey, after: int, limit: int = MAX_REPLAY) -> Slice:
        """
        Return the events after a seq, ascending, with the head of the same snapshot; where they are big, fewer of them.

        Raises:
            Invalid: ``after`` is negative or ``limit`` is not 1 to 1,000.
        """
        _check_seq("after", after)
        if not 1 <= limit <= MAX_REPLAY:
            raise Invalid(f"limit must be 1 to {MAX_REPLAY}")
        return await self._store.read_stream(key, after, limit)

    def ack(self, key: StreamKey, seq: int) -> None:
        """
        Note that a device has everything up to ``seq``; the highest wins.

        Raises:
            Invalid: ``seq`` is negative.
        """
        _check_seq("seq", seq)
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
        except Exception:  # noqa: BLE001 logged
            # These are lost; what ends the task would lose all that follow, too.
            _log.exception("acks were not saved")


def _check_seq(field: str, seq: object) -> None:
    """Raise Invalid unless it is an integer from 0 to 2^53 - 1, what JSON carries exactly."""
    if not isinstance(seq, int) or isinstance(seq, bool) or not 0 <= seq < 2**53:
        raise Invalid(f"{field} must be an integer that is not negative")
