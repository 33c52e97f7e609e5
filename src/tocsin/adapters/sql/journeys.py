"""The trace in the database: all that is kept of one notification, read in one snapshot."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import orjson

from tocsin.adapters.sql import inbox_queries, streams
from tocsin.adapters.sql import journey_statements as sql
from tocsin.adapters.sql.connection import snapshot
from tocsin.adapters.sql.deliveries import delivery_from_row
from tocsin.adapters.sql.delivery_statements import SQL as DELIVERIES
from tocsin.adapters.sql.due import attempt_from_row
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.preferences import combine
from tocsin.adapters.sql.schedule import scheduled_from_row
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import Reader
from tocsin.domain.errors import NotFound
from tocsin.domain.journey import Asked, Found, Job, Record, Target, Told
from tocsin.domain.notification import Notification, Scheduled
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import is_instant, iso
from tocsin.domain.user_id import UserId
from tocsin.domain.web_push import host_of

NAMESPACE = "/notifications"
SEARCHED = 2_000
# An id is made a moment before its row; a queue may be long.
_BEFORE_MS, _AFTER_MS = 1_000, 60_000
_EVERY = b'"all":true'
_STATE = ("category", "seen_at", "read_at", "expires_at", "archived_at", "snoozed_until")


class SqlJourneys:
    """Implements ``JourneyStore``; see there for what each method guarantees."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    async def record(self, notification_id: str, user_id: UserId | None = None) -> Record:
        """Return what is kept of a notification."""
        return await self._store.read(lambda reader: _record(reader, notification_id, user_id))

    async def search(
        self, user_id: UserId, *, since: int | None, until: int | None, text: str, limit: int
    ) -> Sequence[Found]:
        """Return a user's notifications, the newest first."""

        def search(reader: Reader) -> list[Found]:
            with snapshot(reader):
                found = {one.id: one for one in (*_in_log(reader, user_id), *_in_inbox(reader, user_id))}
            wanted = text.casefold()
            hits = [
                one
                for one in found.values()
                if (since is None or one.created_at >= since)
                and (until is None or one.created_at < until)
                and wanted in f"{one.title}\n{one.type}".casefold()
            ]
            return sorted(hits, key=lambda one: (-one.created_at, one.id))[:limit]

        return await self._store.read(search)


def _record(reader: Reader, notification_id: str, user_id: UserId | None) -> Record:
    wanted = {"id": notification_id}
    with snapshot(reader):
        row = reader.execute(DELIVERIES.any_notification, wanted).fetchone()
        notification = None if row is None else inbox_queries.from_row(row)
        attempts = [attempt_from_row(row) for row in reader.execute(DELIVERIES.attempts, wanted)]
        held = reader.execute(DELIVERIES.find_delivery, wanted).fetchone()
        delivery = None if held is None else delivery_from_row(held)
        waits = reader.execute(sql.SCHEDULED, wanted).fetchone()
        scheduled = None if waits is None else scheduled_from_row(waits)
        known = next((one.user_id for one in (notification, delivery, *attempts, scheduled) if one is not None), None)
        owner = known or _owner(reader, notification_id) or user_id
        log = [] if owner is None else list(_about(reader, owner, notification_id, notification))
        if owner is None or (known is None and not log):
            raise NotFound(_nothing(reader, notification_id, scheduled))
        told = next((one for one in log if "title" in one.payload), None)
        created_at = notification.created_at if notification else told.at if told else None
        category = notification.category if notification else told.payload.get("category") if told else None
        return Record(
            notification_id=notification_id,
            user_id=owner,
            notification=notification,
            log=log,
            head=streams.head(reader, StreamKey(owner, NAMESPACE)),
            epoch=reader.execute(SQL.epoch, {}).fetchone()[0],
            attempts=attempts,
            delivery=delivery,
            scheduled=scheduled,
            asked=None if created_at is None else _asked(reader, notification_id, created_at),
            job=None if created_at is None else _job(reader, created_at, notification, told),
            preferences=_preferences(reader, owner),
            targets=list(_targets(reader, owner)),
            has_channels=bool(reader.execute(sql.CHANNELS, {"user_id": owner, "category": category}).fetchone()[0]),
        )


def _owner(reader: Reader, notification_id: str) -> UserId | None:
    """Return who had a notification that is gone: its id tells when it was made, and the log has that."""
    made_at = _instant_of(notification_id)
    if made_at is None:
        return None
    values = {"since": made_at - _BEFORE_MS, "until": made_at + _AFTER_MS, "one": notification_id.encode()}
    row = reader.execute(sql.OWNER, values).fetchone()
    return None if row is None else UserId(row[0])


def _about(reader: Reader, user_id: UserId, notification_id: str, notification: Notification | None) -> Iterator[Told]:
    digest_id = None if notification is None else notification.digest_id
    values = {
        "user_id": user_id,
        "one": notification_id.encode(),
        "two": (digest_id or notification_id).encode(),
        "every": _EVERY,
    }
    # What it was at each event, as far as the log tells.
    was: dict[str, Any] = {}
    for seq, event, encoded, at in reader.execute(sql.ABOUT, values):
        payload = orjson.loads(encoded)
        if payload.get("all"):
            if not _is_of_all(payload, was, at):
                continue
        elif not (
            payload.get("id") == notification_id
            or notification_id in payload.get("ids", ())
            or _is_of_digest(payload, digest_id)
        ):
            continue
        if payload.get("id") in {None, notification_id}:
            is_gone = event == "notification_deleted"
            was = {} if is_gone else was | {name: payload[name] for name in _STATE if name in payload}
            yield Told(seq, event, payload, at)
        elif event == "notification":
            yield Told(seq, event, payload, at)  # the digest that it is in


def _is_of_all(payload: dict[str, Any], was: dict[str, Any], at: int) -> bool:
    """Return whether what was done to all concerns what was so: it was listed, and not marked yet."""
    if not was or was.get("archived_at") or was.get("snoozed_until"):
        return False
    if was.get("expires_at") and was["expires_at"] <= iso(at):
        return False
    if payload.get("category") not in {None, was.get("category")}:
        return False
    if payload.get("archived_at"):
        return bool(was.get("read_at")) or not payload.get("read_only")
    return not was.get("read_at") and not (payload.get("seen_at") and was.get("seen_at"))


def _is_of_digest(payload: dict[str, Any], digest_id: str | None) -> bool:
    """Return whether an event brings the digest, or tells that what waited for it is archived."""
    of_digest = payload.get("id"), (payload.get("digest") or {}).get("id")
    return digest_id is not None and digest_id in of_digest


def _asked(reader: Reader, notification_id: str, at: int) -> Asked | None:
    """Return whose idempotency key made it: the key was saved in the same transaction, at the same instant."""
    for owner, key, result in reader.execute(sql.ASKED, {"at": at}):
        if notification_id.encode() in bytes(result):
            scopes, _, user_id = owner.partition("\n")
            return Asked(UserId(user_id), tuple(scopes.split()), key)
    return None


def _job(reader: Reader, at: int, notification: Notification | None, told: Told | None) -> Job | None:
    """Return the job that made it: one that was at work then, with the same content."""
    if notification is not None:
        content = (notification.type, notification.title, notification.message, notification.data)
    elif told is not None:
        content = tuple(told.payload.get(name) for name in ("type", "title", "message", "data"))  # type: ignore[assignment]
    else:
        return None
    for job_id, topic, encoded in reader.execute(sql.JOBS, {"at": at}):
        draft = orjson.loads(encoded)
        if tuple(draft[name] for name in ("type", "title", "message", "data")) == content:
            return Job(job_id, topic)
    return None


def _preferences(reader: Reader, user_id: UserId) -> Any:
    bodies = {row[0]: bytes(row[1]) for row in reader.execute(sql.PREFERENCES, {"user_id": user_id})}
    return combine(bodies.get(user_id), bodies.get(""))


def _targets(reader: Reader, user_id: UserId) -> Iterator[Target]:
    mine = {"user_id": user_id}
    for one_id, name, platform, created_at, last_seen_at in reader.execute(sql.DEVICES, mine):
        yield Target("fcm", one_id, name or platform, created_at, last_seen_at)
    for one_id, endpoint, created_at, last_seen_at in reader.execute(sql.BROWSERS, mine):
        yield Target("webpush", one_id, host_of(endpoint), created_at, last_seen_at)


def _nothing(reader: Reader, notification_id: str, scheduled: Scheduled | None) -> str:
    """Say what an id is of which no user's notification is known."""
    if scheduled is not None:
        return (
            f"this waits until {iso(scheduled.due_at)} for whoever follows the topic {scheduled.topic} then: "
            "it is nobody's notification yet"
        )
    if reader.execute(sql.JOB, {"id": notification_id}).fetchone() is not None:
        return "this is a job, not a notification: see /api/jobs/{id}, and search by user for what it made"
    made_at = _instant_of(notification_id)
    if made_at is None:
        return "this is no id that this server gives out, and nothing of that id was ever stored"
    return (
        f"nothing is kept of it: an id like this is given out at {iso(made_at)}. Either it was never stored here, "
        "its transaction was rolled back, its user's data was erased, or it is gone for longer than the log keeps "
        "(some days or 1,000 events); with the user's id also the rest of that user's log is searched"
    )


def _instant_of(notification_id: str) -> int | None:
    try:
        found = UUID(notification_id)
    except ValueError:
        return None
    instant = found.int >> 80
    # The 48 bits of one reach beyond the years that can be told.
    return instant if found.version == 7 and str(found) == notification_id and is_instant(instant) else None


def _in_inbox(reader: Reader, user_id: UserId) -> Iterator[Found]:
    for state, statement in sql.LATEST.items():
        rows = reader.execute(statement, {"user_id": user_id, "limit": SEARCHED})
        for one_id, kind, title, created_at, _expires_at in rows:
            yield Found(one_id, kind, title, created_at, state)


def _in_log(reader: Reader, user_id: UserId) -> Iterator[Found]:
    """Return what the log tells of: where a row is there too, that one counts."""
    for event, encoded, at in reader.execute(sql.LOG, {"user_id": user_id}):
        payload = orjson.loads(encoded)
        if event in {"notification", "notification_updated"} and "title" in payload and "timestamp" in payload:
            yield Found(payload["id"], payload["type"], payload["title"], at, "gone")
