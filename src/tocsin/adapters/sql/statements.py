"""
The statements, built from the schema and compiled once per dialect.

Parameters are bound by name; the hot inserts take tuples, in the order of the
entity that they store. What a statement means to a use-case is said where
it runs; only its SQL lives here.
"""

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.sql.base import Executable

from tocsin.adapters.sql.dialects import compiled, compiled_row, upsert
from tocsin.adapters.sql.schema import (
    device,
    idempotency_key,
    life,
    stream,
    stream_event,
    topic_subscription,
    vapid_key,
    web_push_subscription,
)
from tocsin.domain.stream import Head, StreamEvent, StreamKey

# Of PostgreSQL: passes beside itself, and waits for a node that writes alone. It takes no snapshot:
# what was committed meanwhile is seen.
BESIDE = "LOCK TABLE tocsin_life IN ROW SHARE MODE"

_ZERO: ColumnElement[int] = literal_column("0")
_ONE: ColumnElement[int] = literal_column("1")


def _of_stream(table: Table) -> ColumnElement[bool]:
    return and_(table.c.user_id == bindparam("user_id"), table.c.namespace == bindparam("namespace"))


def _inserted(table: Table) -> Executable:
    return insert(table).values({column.name: bindparam(column.name) for column in table.c})


def _limited(query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
    return query.limit(bindparam("limit")).offset(_ZERO)


class Statements:
    """The texts, as ``dialects`` names them; immutable once made."""

    def __init__(self) -> None:
        self._life()
        self._streams()
        self._idempotency()
        self._devices()
        self._topics()
        self._web_push()
        self._vapid_key()

    def _life(self) -> None:
        first = upsert(life).values(id=_ONE, epoch=bindparam("epoch")).on_conflict_do_nothing()
        self.begin_life = compiled(first)
        self.set_epoch = compiled(update(life).values(epoch=bindparam("epoch")))
        # Writes a page and changes nothing: what a commit needs is there.
        self.touch_life = compiled(update(life).values(epoch=life.c.epoch))
        self.epoch = compiled(select(life.c.epoch))

    def _streams(self) -> None:
        first = upsert(stream).values(
            **{name: bindparam(name) for name in (*StreamKey._fields, "unread")},
            seq=_ONE,
            pruned=_ZERO,
            acked=_ZERO,
        )
        # What was never counted (NULL) stays so.
        moved = {"seq": stream.c.seq + _ONE, "unread": stream.c.unread + first.excluded.unread}
        counted = first.on_conflict_do_update(index_elements=[stream.c.user_id, stream.c.namespace], set_=moved)
        self.next_seq = compiled_row(counted.returning(stream.c.seq, stream.c.unread), (*StreamKey._fields, "unread"))
        # The row is locked, and there is one to be locked where none was.
        none_yet = upsert(stream).values(
            **{name: bindparam(name) for name in (*StreamKey._fields, "unread")},
            seq=_ZERO,
            pruned=_ZERO,
            acked=_ZERO,
        )
        locked = none_yet.on_conflict_do_update(
            index_elements=[stream.c.user_id, stream.c.namespace], set_={"seq": stream.c.seq}
        )
        self.lock_stream = compiled_row(locked, (*StreamKey._fields, "unread"))
        ground: ColumnElement[int] = bindparam("ground", type_=stream.c.seq.type)
        self.begin_above = compiled(update(stream).values(seq=ground + _ONE, pruned=ground).where(_of_stream(stream)))
        highest = upsert(stream).values(
            **{name: bindparam(name) for name in (*StreamKey._fields, "unread")}, seq=ground, pruned=ground, acked=_ZERO
        )
        self.raise_ground = compiled(
            highest.on_conflict_do_update(
                index_elements=[stream.c.user_id, stream.c.namespace],
                set_={name: highest.excluded[name] for name in ("seq", "pruned")},
                where=stream.c.seq < highest.excluded.seq,
            )
        )
        self.insert_event = compiled_row(_inserted(stream_event), StreamEvent._fields)
        self.head = compiled(select(*(stream.c[name] for name in Head._fields)).where(_of_stream(stream)))
        self.event_at = compiled(
            select(stream_event).where(_of_stream(stream_event), stream_event.c.seq == bindparam("seq"))
        )
        self.events_after = compiled(
            _limited(
                select(stream_event)
                .where(_of_stream(stream_event), stream_event.c.seq > bindparam("after"))
                .order_by(stream_event.c.seq)
            )
        )
        wanted = case((bindparam("acked") < stream.c.seq, bindparam("acked")), else_=stream.c.seq)
        self.raise_acked = compiled(
            update(stream).values(acked=wanted).where(_of_stream(stream), stream.c.acked < wanted)
        )
        self.long_streams = compiled(
            _limited(
                select(stream.c.user_id, stream.c.namespace).where(stream.c.seq - stream.c.pruned > bindparam("kept"))
            )
        )
        self.old_events = compiled(
            _limited(
                select(stream_event.c.user_id, stream_event.c.namespace)
                .where(stream_event.c.created_at < bindparam("cutoff"))
                .order_by(stream_event.c.created_at)
            )
        )
        self.first_kept_by_age = compiled(
            select(func.min(stream_event.c.seq)).where(
                _of_stream(stream_event), stream_event.c.created_at >= bindparam("cutoff")
            )
        )
        self.delete_events = compiled(
            delete(stream_event).where(_of_stream(stream_event), stream_event.c.seq <= bindparam("pruned"))
        )
        self.set_pruned = compiled(update(stream).values(pruned=bindparam("pruned")).where(_of_stream(stream)))

    def _idempotency(self) -> None:
        keys = idempotency_key
        self.find_key = compiled(
            select(keys.c.fingerprint, keys.c.result, keys.c.created_at).where(
                keys.c.owner == bindparam("owner"), keys.c.key == bindparam("key")
            )
        )
        # A key past its time and not yet pruned is taken over.
        first = upsert(keys).values({column.name: bindparam(column.name) for column in keys.c})
        self.save_key = compiled(
            first.on_conflict_do_update(
                index_elements=[keys.c.owner, keys.c.key],
                set_={name: first.excluded[name] for name in ("fingerprint", "result", "created_at")},
            )
        )
        name = (keys.c.owner, keys.c.key)
        old = _limited(select(*name).where(keys.c.created_at < bindparam("cutoff")))
        self.delete_old_keys = compiled(delete(keys).where(tuple_(*name).in_(old)))

    def _devices(self) -> None:
        one = device.c.id == bindparam("id")
        mine = device.c.user_id == bindparam("user_id")
        address = and_(device.c.kind == bindparam("kind"), device.c.token == bindparam("token"))
        latest_first = (device.c.last_seen_at.desc(), device.c.id.desc())
        self.find_device = compiled(select(device).where(address))
        self.list_devices = compiled(select(device).where(mine).order_by(*latest_first))
        self.insert_device = compiled(_inserted(device))
        changed = ("platform", "device_name", "last_seen_at")
        self.update_device = compiled(update(device).values({name: bindparam(name) for name in changed}).where(one))
        self.delete_device = compiled(delete(device).where(one))
        unseen = device.c.last_seen_at == bindparam("last_seen_at")
        self.drop_device = compiled(delete(device).where(one, mine, unseen))
        self.delete_own_device = compiled(delete(device).where(address, mine))
        self.delete_all_devices = compiled(delete(device).where(mine))
        others = and_(mine, device.c.id != bindparam("id"))
        kept = _limited(select(device.c.id).where(others).order_by(*latest_first))
        self.delete_oldest_devices = compiled(delete(device).where(others, device.c.id.not_in(kept)))

    def _topics(self) -> None:
        mine = topic_subscription.c.user_id == bindparam("user_id")
        one = and_(mine, topic_subscription.c.topic == bindparam("topic"))
        self.find_subscription = compiled(select(topic_subscription).where(one))
        self.count_topics = compiled(select(func.count()).select_from(topic_subscription).where(mine))
        self.list_topics = compiled(select(topic_subscription.c.topic).where(mine).order_by(topic_subscription.c.topic))
        self.insert_subscription = compiled(_inserted(topic_subscription))
        self.delete_subscription = compiled(delete(topic_subscription).where(one))

    def _web_push(self) -> None:
        table = web_push_subscription
        one = table.c.id == bindparam("id")
        mine = table.c.user_id == bindparam("user_id")
        address = table.c.endpoint == bindparam("endpoint")
        latest_first = (table.c.last_seen_at.desc(), table.c.id.desc())
        self.find_web_push = compiled(select(table).where(address))
        self.list_web_push = compiled(select(table).where(mine).order_by(*latest_first))
        self.insert_web_push = compiled(_inserted(table))
        changed = ("p256dh", "auth", "user_agent", "last_seen_at")
        self.update_web_push = compiled(update(table).values({name: bindparam(name) for name in changed}).where(one))
        seen_at = bindparam("seen_at", type_=table.c.last_seen_at.type)
        self.touch_web_push = compiled(
            update(table).values(last_seen_at=seen_at).where(one, table.c.last_seen_at < seen_at)
        )
        self.delete_web_push = compiled(delete(table).where(one))
        self.delete_own_web_push = compiled(delete(table).where(address, mine))
        # A browser that subscribed again meanwhile has a new key and is not gone.
        same = and_(one, mine, address, table.c.p256dh == bindparam("p256dh"), table.c.auth == bindparam("auth"))
        self.delete_gone_web_push = compiled(delete(table).where(same))
        others = and_(mine, table.c.id != bindparam("id"))
        kept = _limited(select(table.c.id).where(others).order_by(*latest_first))
        self.delete_oldest_web_push = compiled(delete(table).where(others, table.c.id.not_in(kept)))

    def _vapid_key(self) -> None:
        self.find_vapid_key = compiled(
            select(vapid_key.c.private_pem, vapid_key.c.receipt_key).where(vapid_key.c.id == _ONE)
        )
        self.insert_vapid_key = compiled(
            insert(vapid_key).values(
                {"id": _ONE} | {name: bindparam(name) for name in ("private_pem", "receipt_key", "created_at")}
            )
        )


SQL = Statements()
