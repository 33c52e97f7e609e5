"""SQL of the push ladder, of its trace and of preferences, compiled once."""

from typing import Any

from sqlalchemy import (
    Column,
    ColumnClause,
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.sql.base import Executable

from tocsin.adapters.sql.dialects import compiled, compiled_row, upsert
from tocsin.adapters.sql.schema import (
    channel,
    delivery,
    delivery_attempt,
    device,
    notification,
    preference,
    stream,
    web_push_subscription,
)

_EMPTY: ColumnClause[str] = literal_column("''")
_NULL: ColumnClause[object] = literal_column("NULL")
_ZERO: ColumnClause[int] = literal_column("0")
_ONE: ColumnClause[int] = literal_column("1")
_NOTIFICATIONS: ColumnClause[str] = literal_column("'/notifications'")
_FIELDS = ("id", "user_id", "seq", "category", "priority", "created_at", "expires_at")
# For how many deliveries one statement reads.
TOGETHER = 32
# What a row of each statement that is run for many rows holds, in order.
HOLD_FIELDS = ("until", "until", "id", "lease")
RELEASE_FIELDS = ("rung", "tries", "ended", "now", "due_at", "id", "lease")
ADD_FIELDS = (*_FIELDS, "created_at", "user_id", "user_id", "user_id", "category", "user_id")


class DeliveryStatements:
    """The texts, as ``dialects`` names them; immutable once made."""

    def __init__(self) -> None:
        self.add_delivery = compiled_row(_add(), ADD_FIELDS)
        anybody = or_(*(select(table.c.id).exists() for table in (device, web_push_subscription, channel)))
        self.anybody = compiled(select(anybody))
        self._ends()
        self._work()
        self._decisions()
        self._trace()

    def _ends(self) -> None:
        now = bindparam("now", type_=delivery.c.due_at.type)
        # Whoever holds it sees the end when it lets go of it.
        due = case((delivery.c.leased_until > now, delivery.c.due_at), else_=now)
        mine = and_(delivery.c.user_id == bindparam("user_id"), delivery.c.ended.is_(None))
        end = update(delivery).values(ended=bindparam("reason"), due_at=due).where(mine)
        self.end_delivery = compiled(end.where(delivery.c.notification_id == bindparam("id")))
        # Of one that is held it is a moment before the lease ends, by which its holder knows when it lets go of it.
        anew = case((delivery.c.leased_until <= now, now), else_=delivery.c.leased_until - _ONE)
        waits = delivery.c.due_at > now
        # What waits for another reason is left alone: a change of preferences is no reason to push what is days old.
        in_quiet_hours = exists().where(
            delivery_attempt.c.notification_id == delivery.c.notification_id,
            delivery_attempt.c.channel == literal_column("'ladder'"),
            delivery_attempt.c.outcome == literal_column("'skipped'"),
            delivery_attempt.c.reason > bindparam("quiet", type_=delivery_attempt.c.reason.type),
        )
        to_wake = and_(delivery.c.ended.is_(None), waits, or_(delivery.c.leased_until > now, in_quiet_hours))
        self.wake_everybody = compiled(update(delivery).values(due_at=anew).where(to_wake))
        self.wake_deliveries = compiled(update(delivery).values(due_at=anew).where(mine, to_wake))
        self.end_acked = compiled(end.where(delivery.c.seq <= bindparam("acked")))
        self.end_all = compiled(end)
        amended: dict[str, Any] = {name: bindparam(name) for name in ("category", "priority", "expires_at")}
        other = or_(
            delivery.c.priority != bindparam("priority"), delivery.c.category.is_distinct_from(bindparam("category"))
        )
        # What waits is planned anew where another ladder holds, or quiet hours do no more.
        amended["due_at"] = case((and_(other, waits), anew), else_=delivery.c.due_at)
        amend: Executable = update(delivery).values(amended).where(delivery.c.notification_id == bindparam("id"))
        self.amend_delivery = compiled(amend)
        self.end_category = compiled(end.where(delivery.c.category == bindparam("category")))

    def _work(self) -> None:
        of_stream = and_(stream.c.user_id == delivery.c.user_id, stream.c.namespace == _NOTIFICATIONS)
        acked = func.coalesce(select(stream.c.acked).where(of_stream).scalar_subquery(), _ZERO)
        columns = [column for column in delivery.c if column.name != "leased_until"]
        found: Select[tuple[object, ...]] = select(*columns, acked.label("acked"))
        due = found.where(delivery.c.due_at <= bindparam("now")).order_by(delivery.c.due_at)
        self.due_deliveries = compiled(due.limit(bindparam("limit")).offset(_ZERO))
        self.find_delivery = compiled(found.where(delivery.c.notification_id == bindparam("id")))
        one = and_(delivery.c.notification_id == bindparam("id"), delivery.c.lease == bindparam("lease"))
        until = bindparam("until", type_=delivery.c.due_at.type)
        hold = update(delivery).values(leased_until=until, due_at=until, lease=delivery.c.lease + _ONE).where(one)
        self.hold_delivery = compiled_row(hold, HOLD_FIELDS)
        # One that was let go of keeps its number until somebody else takes it.
        held = and_(one, delivery.c.leased_until > _ZERO)
        before = delivery.c.leased_until - delivery.c.due_at
        self.renew_delivery = compiled(update(delivery).values(leased_until=until, due_at=until - before).where(held))
        now = bindparam("now", type_=delivery.c.due_at.type)
        is_other = or_(
            delivery.c.ended.is_distinct_from(bindparam("ended")), delivery.c.due_at != delivery.c.leased_until
        )
        due_at = case((is_other, now), else_=bindparam("due_at"))
        released = {"rung": bindparam("rung"), "tries": bindparam("tries"), "due_at": due_at, "leased_until": _ZERO}
        self.release_delivery = compiled_row(update(delivery).values(released).where(one), RELEASE_FIELDS)
        as_seen = delivery.c.ended.is_not_distinct_from(bindparam("ended"))
        as_held = delivery.c.due_at == delivery.c.leased_until
        self.delete_delivery = compiled(delete(delivery).where(one, as_seen, as_held))
        some = select(delivery.c.notification_id).limit(bindparam("limit")).offset(_ZERO)
        self.drop_deliveries = compiled(delete(delivery).where(delivery.c.notification_id.in_(some)))
        self.next_due = compiled(select(func.min(delivery.c.due_at)))

    def _decisions(self) -> None:
        # Of many at once: ``TOGETHER`` keys come first, NULL beyond their number.
        unread = and_(*(notification.c[name].is_(None) for name in ("read_at", "archived_at", "snoozed_until")))
        is_live = or_(notification.c.expires_at.is_(None), notification.c.expires_at > bindparam("now"))
        counts = select(notification.c.user_id, func.count()).group_by(notification.c.user_id)
        self.unread_of = self._compile_for(notification.c.user_id, counts, unread, is_live)
        self.notifications_of = self._compile_for(notification.c.id, select(notification))
        self.preferences_of = self._compile_for(preference.c.user_id, select(preference.c.user_id, preference.c.body))
        self.default_preferences = compiled(select(preference.c.body).where(preference.c.user_id == _EMPTY))
        self.devices_of = self._compile_for(device.c.user_id, select(device).order_by(*_latest_first(device)))
        browsers = select(web_push_subscription).order_by(*_latest_first(web_push_subscription))
        self.web_push_of = self._compile_for(web_push_subscription.c.user_id, browsers)
        attempts = select(delivery_attempt).order_by(delivery_attempt.c.at, delivery_attempt.c.id)
        self.attempts_of = self._compile_for(delivery_attempt.c.notification_id, attempts)

    def _compile_for(self, column: Column[Any], statement: Select[Any], *conditions: ColumnElement[bool]) -> str:
        keys = [bindparam(f"key{place}", type_=column.type) for place in range(TOGETHER)]
        now = ["now"] if conditions else []
        return compiled_row(statement.where(column.in_(keys), *conditions), [*(key.key for key in keys), *now])

    def _trace(self) -> None:
        table = delivery_attempt
        names: list[str] = table.c.keys()
        self.insert_attempt = compiled_row(insert(table).values({name: bindparam(name) for name in names}), names)
        self.attempts = compiled(
            select(table).where(table.c.notification_id == bindparam("id")).order_by(table.c.at, table.c.id)
        )
        of_one = (exists().where(one.c.notification_id == bindparam("id")) for one in (delivery, table))
        self.has_begun = compiled(select(or_(*of_one)))
        # One proof a browser: it may send the same again.
        subscribed = web_push_subscription
        proven = exists().where(
            table.c.notification_id == bindparam("notification_id"),
            table.c.target == bindparam("target"),
            table.c.outcome == bindparam("outcome"),
            table.c.reason == bindparam("reason"),
        )
        values: dict[str, Any] = {name: bindparam(name, type_=table.c[name].type) for name in names} | {
            "user_id": subscribed.c.user_id
        }
        proof = select(*values.values()).where(subscribed.c.id == bindparam("target"), ~proven)
        self.owner_of_subscription = compiled(select(subscribed.c.user_id).where(subscribed.c.id == bindparam("id")))
        self.insert_proof = compiled(insert(table).from_select(list(values), proof))
        old = select(table.c.id).where(table.c.at < bindparam("cutoff")).limit(bindparam("limit")).offset(_ZERO)
        self.delete_old_attempts = compiled(delete(table).where(table.c.id.in_(old.scalar_subquery())))
        self.any_notification = compiled(select(notification).where(notification.c.id == bindparam("id")))


def _latest_first(table: Table) -> tuple[ColumnElement[Any], ...]:
    return table.c.last_seen_at.desc(), table.c.id.desc()


def _add() -> Executable:
    """Return the insert of one delivery, for a user who has anything that may be sent to."""
    bound = {name: bindparam(name, type_=notification.c[name].type) for name in _FIELDS}
    user_id, category = bound["user_id"], bound["category"]
    reachable = or_(
        exists().where(device.c.user_id == user_id),
        exists().where(web_push_subscription.c.user_id == user_id),
        exists().where(channel.c.user_id == user_id),
        exists().where(channel.c.category == category, or_(channel.c.user_id.is_(None), channel.c.user_id == user_id)),
    )
    values: dict[str, Any] = {
        "notification_id": bound["id"],
        **{name: bound[name] for name in _FIELDS[1:]},
        "due_at": bound["created_at"],
        **dict.fromkeys(("rung", "tries", "leased_until", "lease"), _ZERO),
        "ended": _NULL,
    }
    added = upsert(delivery).from_select(list(values), select(*values.values()).where(reachable))
    # One that was snoozed comes back: whoever still works at its old ladder must not write over the new.
    again = {name: added.excluded[name] for name in values if name not in ("notification_id", "lease")}
    return added.on_conflict_do_update(
        index_elements=[delivery.c.notification_id], set_={**again, "lease": delivery.c.lease + _ONE}
    )


SQL = DeliveryStatements()
