"""SQL of the inbox, compiled once."""

from itertools import product
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)

from tocsin.adapters.sql.dialects import compiled, compiled_row, upsert
from tocsin.adapters.sql.schema import group_member, notification, stream
from tocsin.domain.notification import InboxFilter, Place

_ZERO: ColumnElement[int] = literal_column("0")
_ONE: ColumnElement[int] = literal_column("1")
_EMPTY: ColumnElement[str] = literal_column("''")
_NOTHING: ColumnElement[Any] = literal_column("NULL")
CONTENT = ("type", "title", "message", "data", "category", "priority", "sound", "expires_at", "updated_at")
MARKS = ("seen_at", "read_at", "archived_at", "snoozed_until")

_n = notification.c
_live = or_(_n.expires_at.is_(None), _n.expires_at > bindparam("now"))
_one = _n.id == bindparam("id")
_owned = _n.user_id == bindparam("user_id")
_mine = and_(_owned, _live)
_is_listed = and_(_n.archived_at.is_(None), _n.snoozed_until.is_(None))
_is_unread = and_(_n.read_at.is_(None), _is_listed)
_of_category = _n.category == bindparam("category")
_PLACES: dict[Place, ColumnElement[bool]] = {
    "inbox": _is_listed,
    "archive": _n.archived_at.is_not(None),
    "snoozed": _n.snoozed_until.is_not(None),
}


def _limited(query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
    return query.limit(bindparam("limit")).offset(_ZERO)


class InboxStatements:
    """The texts, as ``dialects`` names them; immutable once made."""

    def __init__(self) -> None:
        self._one()
        self._many()
        self._arrivals()
        self._claims()
        self._clock()
        self._lists()

    def _one(self) -> None:
        every: dict[str, Any] = {column.name: bindparam(column.name) for column in _n}
        self.insert_notification = compiled_row(insert(notification).values(every), _n.keys())
        self.own_notification = compiled(select(notification).where(_one, _mine))
        self.any_notification = compiled(select(notification).where(_one, _live))
        self.set_marks = compiled(update(notification).values({name: bindparam(name) for name in MARKS}).where(_one))
        self.leave_digest = compiled(update(notification).values(digest_id=_NOTHING).where(_one))
        self.set_content = compiled(
            update(notification).values({name: bindparam(name) for name in CONTENT}).where(_one)
        )
        self.marks = compiled(select(*(_n[name] for name in MARKS)).where(_one))
        self.delete_notification = compiled(delete(notification).where(_one))
        unseen = and_(_mine, _is_unread, _n.seen_at.is_(None))
        see = update(notification).values(seen_at=bindparam("seen_at"))
        self.set_seen = compiled(see.where(_one, unseen))
        self.set_all_seen = compiled(see.where(unseen))

    def _many(self) -> None:
        # Reading is seeing, so that nothing unseen is read.
        seen = func.coalesce(_n.seen_at, bindparam("read_at"))
        read = update(notification).values(read_at=bindparam("read_at"), seen_at=seen).where(_mine, _is_unread)
        self.set_all_read = compiled(read)
        self.set_category_read = compiled(read.where(_of_category))
        archive = update(notification).values(archived_at=bindparam("archived_at")).where(_mine, _is_listed)
        self.archive_all = compiled(archive)
        self.archive_category = compiled(archive.where(_of_category))
        read_alone = archive.where(_n.read_at.is_not(None))
        self.archive_read = compiled(read_alone)
        self.archive_read_category = compiled(read_alone.where(_of_category))

    def _arrivals(self) -> None:
        same_key = _n.collapse_key == bindparam("collapse_key")
        newest = select(notification).order_by(_n.seq.desc()).limit(_ONE).offset(_ZERO)
        self.find_collapsed = compiled(newest.where(_owned, same_key))
        waits = or_(_n.snoozed_until.is_(None), _n.digest_id.is_not(None))
        joinable = and_(_mine, _n.group_key == bindparam("group_key"), _n.read_at.is_(None), _n.archived_at.is_(None))
        self.find_group = compiled(newest.where(joinable, waits))
        self.set_actors = compiled(update(notification).values(group_actors=bindparam("group_actors")).where(_one))
        member = upsert(group_member).values({c.name: bindparam(c.name) for c in group_member.c})
        self.insert_member = compiled(member.on_conflict_do_nothing())
        orphan = ~select(_n.id).where(_n.group_id == group_member.c.group_id).exists()
        self.find_orphans = compiled(_limited(select(group_member.c.group_id).where(orphan).distinct()))
        of_group = group_member.c.group_id == bindparam("group_id")
        self.delete_orphans = compiled(delete(group_member).where(of_group, orphan))

    def _claims(self) -> None:
        siblings = _n.claim_id == bindparam("claim_id")
        self.siblings = compiled(select(_n.id, _n.user_id).where(siblings).order_by(_n.user_id))
        # Changes nothing but the row's version, which a claim changes, too: who is second sees the other.
        one = select(_n.id).where(siblings).order_by(_n.claimed_by.is_(None)).limit(_ONE).offset(_ZERO)
        touched = update(notification).values(claim_id=_n.claim_id).where(_n.id == one.scalar_subquery())
        self.touch_claim = compiled(touched.returning(_n.claimed_by, _n.claimed_at))
        won: dict[str, Any] = {name: bindparam(name) for name in ("claimed_by", "claimed_at")}
        self.claim = compiled(update(notification).values(won).where(siblings, _n.claimed_by.is_(None)))

    def _clock(self) -> None:
        snoozed = _n.snoozed_until
        now: BindParameter[int] = bindparam("now")
        self.due_snoozed = compiled(_limited(select(notification).where(snoozed <= now).order_by(snoozed)))
        self.next_snoozed = compiled(select(func.min(snoozed)).where(snoozed.is_not(None)))
        back = {"snoozed_until": _NOTHING, "read_at": _NOTHING, "seen_at": _NOTHING, "digest_id": _NOTHING}
        self.bring_back = compiled(update(notification).values({**back, "seq": bindparam("seq")}).where(_one))
        held = and_(_n.digest_id == bindparam("digest_id"), snoozed.is_not(None))
        news = and_(held, _n.read_at.is_(None))
        self.digested = compiled(_limited(select(notification).where(news).order_by(_n.seq.desc())))
        self.count_digested = compiled(select(func.count()).select_from(notification).where(news))
        gone = {"archived_at": bindparam("archived_at"), "snoozed_until": _NOTHING}
        self.archive_digested = compiled(update(notification).values(gone).where(held))
        self.due_expired = compiled(
            _limited(select(_n.id, _n.user_id, *(_n[name] for name in MARKS[1:])).where(_n.expires_at <= now))
        )
        self.next_expiry = compiled(select(func.min(_n.expires_at)).where(_n.expires_at.is_not(None)))

    def _lists(self) -> None:
        listed = and_(_mine, _is_listed)
        unread = and_(_mine, _is_unread)
        count = select(func.count()).select_from(notification)
        self.count_unread = compiled(count.where(unread))
        # Expired and not yet taken out: by the index of what expires, in which hardly anything
        # is due; the function keeps the planner from that of the user, who may have thousands.
        its = func.coalesce(_n.user_id, _EMPTY) == bindparam("user_id")
        self.count_overdue = compiled(count.where(its, _is_unread, _n.expires_at <= bindparam("now")))
        of_stream = select(func.count()).select_from(notification).where(_n.user_id == stream.c.user_id, _is_unread)
        uncounted = and_(stream.c.unread.is_(None), stream.c.namespace == literal_column("'/notifications'"))
        self.count_uncounted = compiled(
            update(stream).values(unread=of_stream.correlate(stream).scalar_subquery()).where(uncounted)
        )
        self.count_total = compiled(count.where(listed))
        unseen = func.sum(case((_n.seen_at.is_(None), _ONE), else_=_ZERO))
        self.count_by_category = compiled(select(_n.category, func.count(), unseen).where(unread).group_by(_n.category))
        # One text for each set of conditions: an "or :x is null" would keep
        # the planner from the indexes.
        self.lists = {
            conditions: compiled(_list(*conditions))
            for conditions in product(_PLACES, (None, True, False), (False, True), (False, True))
        }
        of_digest = and_(_mine, _n.digest_id == bindparam("digest_id"), _n.seq < bindparam("before"))
        self.digest_list = compiled(_limited(select(notification).where(of_digest).order_by(_n.seq.desc())))

    def list_of(self, wanted: InboxFilter) -> str:
        """Return the list of one inbox below ``:before``, newest first, with these conditions."""
        if wanted.digest_id is not None:
            return self.digest_list
        return self.lists[wanted.place, wanted.unread, wanted.category is not None, wanted.type is not None]


def _list(place: Place, is_unread: bool | None, has_category: bool, has_type: bool) -> Select[tuple[object, ...]]:
    query = select(notification).where(_mine, _PLACES[place], _n.seq < bindparam("before"))
    if is_unread is not None:
        query = query.where(_n.read_at.is_(None) if is_unread else _n.read_at.is_not(None))
    if has_category:
        query = query.where(_of_category)
    if has_type:
        query = query.where(_n.type == bindparam("type"))
    return _limited(query.order_by(_n.seq.desc()))


SQL = InboxStatements()
