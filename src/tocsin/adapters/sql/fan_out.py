"""Jobs that notify the followers of a topic: rows, and the steps that make notifications."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import bindparam, delete, func, insert, literal_column, select, update

from tocsin.adapters.sql import arrivals
from tocsin.adapters.sql.dialects import compiled
from tocsin.adapters.sql.idempotency import perform_once
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.schema import fan_out, topic_subscription
from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.application.once import Once
from tocsin.application.texts import Lang
from tocsin.domain.errors import NotFound
from tocsin.domain.fan_out import FanOutJob
from tocsin.domain.identifier import new_id
from tocsin.domain.notification import NotificationDraft, check_expiry
from tocsin.domain.user_id import UserId

_KEPT_MS = 7 * 24 * 3_600_000
_FIELDS = ("id", "topic", "state", "total", "done", "created_at", "finished_at")


_one = fan_out.c.id == bindparam("id")
_of_topic = topic_subscription.c.topic == bindparam("topic")
_INSERT = compiled(insert(fan_out).values({column.name: bindparam(column.name) for column in fan_out.c}))
_FIND = compiled(select(*(fan_out.c[name] for name in _FIELDS)).where(_one))
_POSITION = compiled(select(fan_out.c.draft, fan_out.c.last_user_id, fan_out.c.user_ids).where(_one))
_COUNT = compiled(select(func.count()).select_from(topic_subscription).where(_of_topic))
_FOLLOWERS = compiled(
    select(topic_subscription.c.user_id)
    .where(_of_topic, topic_subscription.c.user_id > bindparam("after"))
    .order_by(topic_subscription.c.user_id)
    .limit(bindparam("limit"))
    .offset(literal_column("0"))
)
_MOVE = compiled(
    update(fan_out)
    .values({name: bindparam(name) for name in ("state", "total", "done", "last_user_id", "finished_at")})
    .where(_one)
)
_RUNNING = compiled(
    select(func.min(fan_out.c.id)).where(fan_out.c.state == bindparam("state"), fan_out.c.id > bindparam("after"))
)
_PRUNE = compiled(delete(fan_out).where(fan_out.c.finished_at < bindparam("cutoff")))


class SqlFanOut:
    """Implements ``FanOutStore``; see there for what each method guarantees."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    async def begin(self, topic: str, draft: NotificationDraft, once: Once | None = None) -> FanOutJob:
        """Store a job."""
        encoded = orjson.dumps({**draft._asdict(), "user_id": ""})

        def start(transaction: Transaction) -> FanOutJob:
            check_expiry([draft], transaction.now)
            return begin(transaction, new_id(), topic, encoded)

        return await self._store.write(
            lambda transaction: perform_once(transaction, once, start, asdict, lambda saved: FanOutJob(**saved)),
            len(encoded),
        )

    async def begin_list(
        self, user_ids: Sequence[UserId], draft: NotificationDraft, once: Once | None = None
    ) -> FanOutJob:
        """Store a job for a list."""
        encoded = orjson.dumps({**draft._asdict(), "user_id": ""})
        users = sorted(set(user_ids))
        listed = orjson.dumps(users)

        def start(transaction: Transaction) -> FanOutJob:
            check_expiry([draft], transaction.now)
            job = FanOutJob(
                id=new_id(), topic="", state="running", total=len(users), done=0, created_at=transaction.now
            )
            return _insert(transaction, job, encoded, listed)

        return await self._store.write(
            lambda transaction: perform_once(transaction, once, start, asdict, lambda saved: FanOutJob(**saved)),
            len(encoded) + len(listed),
        )

    async def get(self, job_id: str) -> FanOutJob:
        """Return a job."""

        def get(reader: Reader) -> FanOutJob:
            return _job(reader.execute(_FIND, {"id": job_id}).fetchone())

        return await self._store.read(get)

    async def next_running(self, after: str) -> str | None:
        """Return the oldest job that is not done, of those that began after another."""
        wanted = {"state": "running", "after": after}
        return await self._store.read(lambda reader: reader.execute(_RUNNING, wanted).fetchone()[0])

    async def step(self, job_id: str, part: int) -> FanOutJob:
        """Notify the next followers and move on."""
        return await self._store.write(lambda transaction: _step(transaction, job_id, part, self._store.lang))

    async def prune(self) -> int:
        """Drop jobs that ended more than a week ago."""
        return await self._store.write(
            lambda transaction: transaction.execute(_PRUNE, {"cutoff": transaction.now - _KEPT_MS}).rowcount
        )


def begin(transaction: Transaction, job_id: str, topic: str, draft: bytes) -> FanOutJob:
    """Store a job for all who follow a topic; whose ``user_id`` the encoded draft has means nothing."""
    (total,) = transaction.row(_COUNT, {"topic": topic})
    job = FanOutJob(id=job_id, topic=topic, state="running", total=total, done=0, created_at=transaction.now)
    return _insert(transaction, job, draft, None)


def _insert(transaction: Transaction, job: FanOutJob, draft: bytes, user_ids: bytes | None) -> FanOutJob:
    transaction.execute(_INSERT, {**asdict(job), "draft": draft, "last_user_id": "", "user_ids": user_ids})
    return job


def _step(transaction: Transaction, job_id: str, part: int, lang: Lang) -> FanOutJob:
    job = _job(transaction.row(_FIND, {"id": job_id}))
    if job.state == "done":
        return job  # another process was faster
    encoded, last_user_id, listed = transaction.row(_POSITION, {"id": job_id})
    draft = orjson.loads(encoded)
    if listed is None:
        wanted = {"topic": job.topic, "after": last_user_id, "limit": part}
        followers = [UserId(row[0]) for row in transaction.rows(_FOLLOWERS, wanted)]
    else:
        users = orjson.loads(listed)
        start = bisect_right(users, last_user_id)
        followers = users[start : start + part]
    is_expired = draft["expires_at"] is not None and draft["expires_at"] <= transaction.now
    values = {"id": job_id, "state": "running", "total": max(job.total, job.done + len(followers)), "finished_at": None}
    if not followers or is_expired:
        values |= {"state": "done", "total": job.done, "finished_at": transaction.now}
        followers = []
    else:
        drafts = [NotificationDraft(**{**draft, "user_id": user_id}) for user_id in followers]
        prepared = [arrivals.prepare(one, lang) for one in drafts]
        transaction.foresee(arrivals.foreseen(prepared))
        arrivals.create(transaction, prepared)
        last_user_id = followers[-1]
    transaction.execute(_MOVE, values | {"done": job.done + len(followers), "last_user_id": last_user_id})
    return _job(transaction.row(_FIND, {"id": job_id}))


def _job(row: Sequence[Any] | None) -> FanOutJob:
    if row is None:
        raise NotFound("there is no such job")
    return FanOutJob(**dict(zip(_FIELDS, row, strict=True)))
