"""
The store, whatever the database: one writer thread with group commit, a pool of readers beside it.

What differs between databases is in ``sqlite`` and ``postgres``.
"""

import asyncio
import secrets
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from tocsin.adapters import failpoint
from tocsin.adapters.sql import acks as acks_of_clients
from tocsin.adapters.sql import (
    chat,
    deliveries,
    devices,
    e2ee,
    fan_out,
    idempotency,
    inbox_clock,
    revocations,
    streams,
    web_push,
    writes,
)
from tocsin.adapters.sql.dialects import pair
from tocsin.adapters.sql.group_commit import CommitMeters, GroupCommit, Operation
from tocsin.adapters.sql.idempotency import KEPT_MS, perform_once, unchanged
from tocsin.adapters.sql.inbox_store import SqlInbox
from tocsin.adapters.sql.readers import HeadReader, OpenReader, Readers
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import NOTHING_FORESEEN, Foresee, Foreseen, Reader, Transaction
from tocsin.adapters.sql.writing import Writing
from tocsin.application.once import Once
from tocsin.application.ports import Draft
from tocsin.application.texts import Lang
from tocsin.application.tracing import Tracing
from tocsin.domain.device import Device, DeviceDraft, DeviceKind
from tocsin.domain.errors import NotInitialized, TocsinError
from tocsin.domain.message import Message, MessageDraft
from tocsin.domain.stream import Head, Slice, StreamEvent, StreamKey
from tocsin.domain.timestamp import now_ms
from tocsin.domain.user_id import UserId
from tocsin.domain.web_push import PushKeys, WebPushDraft, WebPushSubscription

T = TypeVar("T")

# Upkeep takes the writer in turns this short, so that writes pass between.
_ROWS_A_TURN = 500
_STREAMS_A_ROUND = 200


# SQLite's changes with the commits of every other connection. Asked on the writer's own it leaves
# out this process, whose readers never write. PostgreSQL's changes with every commit, its own, too.
_DATA_VERSION = pair("PRAGMA data_version", "SELECT pg_current_snapshot()::text")


def _nobody(_events: Sequence[StreamEvent]) -> None:
    """Stand in until bootstrap wires the bus."""


class _NotStarted:
    """Stands in for what ``start`` opens; whoever uses it is told so."""

    def __getattr__(self, _: str) -> Any:
        raise NotInitialized(
            "the service has not started: serve its ASGI application with its lifespan on, "
            "call service.run(), or await service.start()"
        )


class SqlStore(SqlInbox):
    """
    Implements ``Store``; see there for what each method guarantees.

    Args:
        clock: Milliseconds since 1970, for stamps and expiry.
        lang: The language of what the server words itself, where a user has not said another.

    Attributes:
        commits: Counts what is written.
        tracing: Follows what is written, if it is set before ``start``.
    """

    epoch: str
    on_commit: Callable[[Sequence[StreamEvent]], None]

    def __init__(self, *, clock: Callable[[], int] = now_ms, lang: Lang = "en") -> None:
        self.lang = lang
        self._clock = clock
        self.epoch = ""
        self.on_commit = _nobody
        self.commits = CommitMeters()
        self.tracing: Tracing | None = None
        self._writing: Writing | None = None
        not_started = _NotStarted()
        self._writer = cast("GroupCommit", not_started)
        self._readers = cast("Readers", not_started)
        self._heads = cast("HeadReader", not_started)
        self._data_version: int | str = 0

    async def start(self) -> None:
        """Bring the schema up to date, then open the database."""
        writing = self._writing = await asyncio.to_thread(self._open_writer)
        failpoints = failpoint.from_environment()
        self._writer = GroupCommit(
            writing, self._pass_on, self._clock, failpoints, meters=self.commits, tracing=self.tracing
        )
        self._readers = Readers(self._open_reader, self._refusal)
        self._heads = HeadReader(self._readers, self._read_heads)
        try:
            self.epoch, self._data_version = await self._writer.run(_begin_life)
        except BaseException:
            await self.stop()
            raise

    async def start_reading(self) -> None:
        """
        Open a database that is up to date, for reads alone: nothing is written, nobody's lock is waited for.

        Raises:
            SchemaError: It is of another release.
        """
        await asyncio.to_thread(self._check)
        self._readers = Readers(self._open_reader, self._refusal)

    @abstractmethod
    def _check(self) -> None:
        """Look whether the tables are there and of this release."""

    @abstractmethod
    def _open_writer(self) -> Writing:
        """Bring the schema up to date and open the connection that writes."""

    @abstractmethod
    def _open_reader(self) -> OpenReader:
        """Open a connection that can't write."""

    def _read_heads(self, connection: Reader, keys: Sequence[StreamKey]) -> list[Head]:
        """Return the heads of one instant, in the order asked."""
        return streams.heads(connection, keys)

    @abstractmethod
    def _refusal(self, error: Exception) -> TocsinError | None:
        """Return what a caller is told of an error; None: the error itself."""

    def _pass_on(self, events: Sequence[StreamEvent]) -> None:
        self.on_commit(events)

    async def stop(self) -> None:
        """Commit what was accepted, answer what was asked, close; nothing before the start."""
        if self._writing is not None:
            await self._writer.stop()
        if isinstance(self._readers, Readers):
            await self._readers.stop()
        if self._writing is not None:
            await asyncio.to_thread(self._writing.close)

    async def ping(self) -> None:
        """Commit a transaction that writes a page and changes nothing."""
        await self._writer.run(lambda transaction: transaction.execute(SQL.touch_life, {}).rowcount)

    async def write(self, operation: Operation[T], size: int = 0) -> T:
        """Run an operation in a write transaction."""
        return await self._writer.run(operation, size)

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Run a query on a reader."""
        return await self._readers.run(query)

    # Chat

    async def send_message(self, draft: MessageDraft) -> Message:
        """Store a message once."""
        return await self._writer.run(
            lambda transaction: chat.send(transaction, draft), draft.size, lambda: chat.foreseen(draft)
        )

    async def mark_message_read(self, reader_id: UserId, message_id: str) -> Message:
        """Mark a received message as read."""
        return await self._writer.run(lambda transaction: chat.mark_read(transaction, reader_id, message_id))

    # Events and streams

    async def append_event(
        self, namespace: str, event: str, user_ids: Sequence[UserId], payload: bytes, once: Once | None = None
    ) -> list[StreamEvent]:
        """Append one event to each user's stream."""
        return await self._write_once(
            once,
            lambda transaction: streams.append_to_all(transaction, user_ids, namespace, event, payload),
            streams.events_to_json,
            streams.events_from_json,
            size=len(payload),
            foresee=lambda: Foreseen([StreamKey(user_id, namespace) for user_id in user_ids]),
        )

    async def write_many(self, drafts: Sequence[Draft], once: Once | None = None) -> list[list[StreamEvent]]:
        """Carry out writes in order and together."""
        prepared = [writes.prepare(draft, self.lang) for draft in drafts]
        return await self._writer.run(
            lambda transaction: writes.perform(transaction, prepared, once),
            sum(one.size for one in prepared),
            lambda: writes.foreseen(prepared, once),
        )

    async def heads(self, keys: Sequence[StreamKey]) -> list[Head]:
        """Return heads; requests that arrive together share one trip."""
        return await self._heads.heads(keys)

    async def read_stream(self, key: StreamKey, after: int, limit: int) -> Slice:
        """Return a run of events with the head of the same snapshot."""
        return await self._readers.run(lambda reader: streams.read(reader, key, after, limit))

    async def save_acks(self, acks: dict[StreamKey, int]) -> None:
        """Raise acked seqs, a part at a time."""
        for part in acks_of_clients.parts(acks):
            # Known before, their counters are taken in order with all others: two nodes don't wait for each other.
            told = await self._readers.run(partial(acks_of_clients.streams_told, acks=part))
            await self._writer.run(partial(acks_of_clients.save, acks=part), foresee=partial(Foreseen, told))

    async def changed_elsewhere(self) -> bool:
        """Return whether another process wrote; follows a new epoch that it began."""
        epoch, data_version = await self._writer.run(_look_elsewhere)
        changed = data_version != self._data_version
        self.epoch, self._data_version = epoch, data_version
        return changed

    # Devices and topics

    async def register_device(self, draft: DeviceDraft, most: int, once: Once | None = None) -> Device:
        """Insert, update or take over a device."""
        return await self._write_once(
            once,
            lambda transaction: devices.register(transaction, draft, most),
            devices.to_json,
            lambda saved: devices.from_json(saved, draft.token),
        )

    async def list_devices(self, user_id: UserId) -> list[Device]:
        """Return a user's devices."""
        return await self._readers.run(lambda reader: devices.of_user(reader, user_id))

    async def unregister_device(self, user_id: UserId, token: str, kind: DeviceKind, once: Once | None = None) -> None:
        """Delete one device."""
        await self._write_once(
            once, lambda transaction: devices.unregister(transaction, user_id, token, kind), unchanged, unchanged
        )

    async def unregister_all_devices(self, user_id: UserId, once: Once | None = None) -> int:
        """Delete all devices of a user."""
        return await self._write_once(
            once, lambda transaction: devices.unregister_all(transaction, user_id), unchanged, unchanged
        )

    async def drop_device(self, device: Device) -> bool:
        """Delete a device unless it was registered again."""
        return await self._writer.run(lambda transaction: devices.drop(transaction, device))

    async def subscribe_topic(self, user_id: UserId, topic: str, once: Once | None = None) -> None:
        """Make a user follow a topic."""
        await self._write_once(
            once, lambda transaction: devices.subscribe(transaction, user_id, topic), unchanged, unchanged
        )

    async def unsubscribe_topic(self, user_id: UserId, topic: str, once: Once | None = None) -> None:
        """Make a user follow a topic no more."""
        await self._write_once(
            once, lambda transaction: devices.unsubscribe(transaction, user_id, topic), unchanged, unchanged
        )

    async def list_topics(self, user_id: UserId) -> list[str]:
        """Return a user's topics."""
        return await self._readers.run(lambda reader: devices.topics_of_user(reader, user_id))

    # Web Push

    async def save_web_push(self, draft: WebPushDraft, most: int, once: Once | None = None) -> WebPushSubscription:
        """Insert, update or take over a subscription."""
        return await self._write_once(
            once,
            lambda transaction: web_push.save(transaction, draft, most),
            web_push.to_json,
            lambda saved: web_push.from_json(saved, draft),
        )

    async def list_web_push(self, user_id: UserId) -> list[WebPushSubscription]:
        """Return a user's subscriptions."""
        return await self._readers.run(lambda reader: web_push.of_user(reader, user_id))

    async def delete_web_push(self, user_id: UserId, endpoint: str, once: Once | None = None) -> None:
        """Delete one subscription."""
        await self._write_once(
            once, lambda transaction: web_push.delete(transaction, user_id, endpoint), unchanged, unchanged
        )

    async def drop_web_push(self, gone: WebPushSubscription) -> bool:
        """Delete what a push service says is gone."""
        return await self._writer.run(lambda transaction: web_push.drop(transaction, gone))

    async def see_web_push(self, subscription_id: str, notification_id: str | None, event: str) -> None:
        """Note that a push arrived."""
        await self._writer.run(
            lambda transaction: deliveries.prove(transaction, subscription_id, notification_id, event)
        )

    async def push_keys(self, fresh: PushKeys) -> PushKeys:
        """Return the keys of this installation."""
        return await self._writer.run(lambda transaction: web_push.keys(transaction, fresh))

    # Upkeep

    async def prune(self, now: int) -> dict[str, int]:
        """Drop what is past its time, in short turns."""
        return {
            "stream_event": await self._prune_streams(now),
            "notification": await self._repeat(lambda writing: inbox_clock.expire(writing, _ROWS_A_TURN)),
            "group_member": await self._forget_groups(),
            "delivery_attempt": await self._repeat(lambda writing: deliveries.prune(writing, now, _ROWS_A_TURN)),
            "e2ee_to_device": await self._repeat(lambda writing: e2ee.prune(writing, now, _ROWS_A_TURN)),
            "fan_out": await self._writer.run(lambda transaction: fan_out.prune(transaction, now)),
            "revocation": await self._writer.run(lambda transaction: revocations.prune(transaction, now)),
            "idempotency_key": await self._repeat(
                lambda transaction: (
                    transaction.execute(SQL.delete_old_keys, {"cutoff": now - KEPT_MS, "limit": _ROWS_A_TURN}).rowcount
                )
            ),
        }

    async def new_epoch(self) -> str:
        """Begin a new life of the streams."""
        epoch = _random_epoch()
        await self._writer.run(lambda transaction: transaction.execute(SQL.set_epoch, {"epoch": epoch}).rowcount)
        self.epoch = epoch
        return epoch

    async def _write_once(
        self,
        once: Once | None,
        perform: Operation[T],
        to_json: Callable[[T], Any],
        from_json: Callable[[Any], T],
        *,
        size: int = 0,
        foresee: Foresee = NOTHING_FORESEEN,
    ) -> T:
        return await self._writer.run(
            lambda transaction: perform_once(transaction, once, perform, to_json, from_json),
            size,
            foresee if once is None else lambda: idempotency.with_key(foresee(), once),
        )

    async def _prune_streams(self, now: int) -> int:
        total = 0
        while True:
            keys = await self._readers.run(lambda reader: streams.find_prunable(reader, now, _STREAMS_A_ROUND))
            prune = partial(streams.prune, keys=keys, now=now, most=_ROWS_A_TURN)
            dropped = await self._repeat(prune) if keys else 0
            if not dropped:
                return total
            total += dropped

    async def _forget_groups(self) -> int:
        total = 0
        while found := await self._readers.run(lambda reader: inbox_clock.find_orphans(reader, _ROWS_A_TURN)):
            dropped = await self._writer.run(partial(inbox_clock.forget_groups, group_ids=found))
            if not dropped:
                break
            total += dropped
        return total

    async def _repeat(self, turn: Operation[int]) -> int:
        total = 0
        while done := await self._writer.run(turn):
            total += done
        return total


def _begin_life(transaction: Transaction) -> tuple[str, int | str]:
    transaction.execute(SQL.begin_life, {"epoch": _random_epoch()})
    inbox_clock.count_unread(transaction)
    return _look_elsewhere(transaction)


def _look_elsewhere(transaction: Transaction) -> tuple[str, int | str]:
    data_version = transaction.row(_DATA_VERSION, {})[0]
    life = transaction.row(SQL.epoch, {})
    # A host that took its migrations back and ran them again has emptied the tables: the streams begin anew.
    return _begin_life(transaction) if life is None else (life[0], data_version)


def _random_epoch() -> str:
    return secrets.token_hex(8)
