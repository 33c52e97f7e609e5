"""SQL of chat: messages, conversations and blocks, compiled once."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    union,
    update,
)
from sqlalchemy.sql.base import Executable

from tocsin.adapters.sql.dialects import compiled, upsert
from tocsin.adapters.sql.schema import conversation, last_seen, message

# What is read of a message, in the order of its entity.
FIELDS = tuple(column for column in message.c if column is not message.c.claimable_until)
_ZERO: ColumnElement[int] = literal_column("0")
_NOBODY: ColumnElement[str] = literal_column("''")


def _limited(query: Select[tuple[object, ...]]) -> Select[tuple[object, ...]]:
    return query.limit(bindparam("limit")).offset(_ZERO)


class ChatStatements:
    """The texts, as ``dialects`` names them; immutable once made."""

    def __init__(self) -> None:
        self._send()
        self._change()
        self._receipts()
        self._histories()
        self._conversations()
        self._last_seen()

    def _send(self) -> None:
        self.insert_message = compiled(insert(message).values({c.name: bindparam(c.name) for c in message.c}))
        own = message.c.from_user_id == bindparam("from_user_id")
        sent = select(*FIELDS).where(own, message.c.client_msg_id == bindparam("client_msg_id"))
        self.sent_message = compiled(sent)
        saved = (
            select(message.c.id)
            .where(
                own,
                message.c.to_user_id == bindparam("to_user_id"),
                message.c.claimable_until > bindparam("now"),
                message.c.claimable_until <= bindparam("latest"),
                message.c.message == bindparam("message"),
            )
            .order_by(message.c.claimable_until, message.c.seq)
        )
        client_msg_id = func.coalesce(message.c.client_msg_id, bindparam("client_msg_id"))
        self.claim_message = compiled(
            update(message)
            .values(claimable_until=null(), client_msg_id=client_msg_id)
            .where(message.c.id == _limited(saved).scalar_subquery())
            .returning(*FIELDS)
        )
        one = message.c.id == bindparam("id")
        self.message_claimable_until = compiled(select(message.c.claimable_until).where(one))
        self.adopt_message = compiled(update(message).values(client_msg_id=client_msg_id).where(one).returning(*FIELDS))
        first = upsert(conversation).values({c.name: bindparam(c.name) for c in conversation.c})
        key = [conversation.c.user_id, conversation.c.peer_id]
        latest = {"last_message_id": first.excluded.last_message_id}
        self.touch_conversation = compiled(first.on_conflict_do_update(index_elements=key, set_=latest))

    def _change(self) -> None:
        one = message.c.id == bindparam("id")
        self.find_message = compiled(select(*FIELDS).where(one))
        text: dict[str, Any] = {name: bindparam(name) for name in ("message", "ciphertext", "edited_at")}
        changed: dict[str, Any] = {"claimable_until": null()}
        self.edit_message = compiled(update(message).values(text | changed).where(one))
        gone = {"message": bindparam("message"), "attachments": null(), "ciphertext": null()}
        self.delete_message = compiled(
            update(message).values(gone | changed | {"deleted_at": bindparam("deleted_at")}).where(one)
        )

    def _receipts(self) -> None:
        received = message.c.to_user_id == bindparam("to_user_id")
        self.received_message = compiled(select(*FIELDS).where(message.c.id == bindparam("id"), received))
        # By the index of what is unread, or undelivered: the one of histories would lead over all that is read.
        sender = func.coalesce(message.c.from_user_id, _NOBODY) == bindparam("from_user_id")
        up_to = and_(received, sender, message.c.id <= bindparam("id"))
        now = bindparam("read_at", type_=message.c.read_at.type)
        self.set_read_up_to = compiled(
            update(message)
            .values(read_at=now, delivered_at=func.coalesce(message.c.delivered_at, now))
            .where(up_to, message.c.read_at.is_(None))
        )
        self.message_read_at = compiled(select(message.c.read_at).where(message.c.id == bindparam("id")))
        undelivered = message.c.delivered_at.is_(None)
        acked = (received, undelivered, message.c.seq <= bindparam("acked"))
        self.undelivered = compiled(
            select(message.c.from_user_id, func.max(message.c.id)).where(*acked).group_by(message.c.from_user_id)
        )
        self.set_delivered_up_to = compiled(
            update(message).values(delivered_at=bindparam("delivered_at")).where(up_to, undelivered)
        )
        unread = (
            received,
            message.c.read_at.is_(None),
            message.c.deleted_at.is_(None),
            message.c.from_user_id != message.c.to_user_id,
        )
        self.count_unread = compiled(select(func.count()).select_from(message).where(*unread))
        # The latest messages of one to another, by the instant at which they were read.
        order = message.c.id.desc()
        its = and_(message.c.from_user_id == bindparam("from_user_id"), received)
        latest = _limited(select(message.c.id, message.c.read_at).where(its).order_by(order)).subquery()
        since = select(latest.c.read_at, func.max(latest.c.id)).where(latest.c.read_at > bindparam("since"))
        self.read_since = compiled(since.group_by(latest.c.read_at).order_by(latest.c.read_at))
        newest = select(func.max(message.c.id)).where(received, message.c.from_user_id == bindparam("from_user_id"))
        self.newest_received = compiled(newest)

    def _histories(self) -> None:
        self.messages_before = compiled(_history(message.c.id < bindparam("anchor"), is_descending=True))
        self.messages_from = compiled(_history(message.c.id >= bindparam("anchor"), is_descending=False))

    def _conversations(self) -> None:
        own = conversation.c.user_id == bindparam("user_id")
        counted = message.alias("counted")
        unread = (
            select(func.count())
            .select_from(counted)
            .where(
                counted.c.to_user_id == conversation.c.user_id,
                counted.c.from_user_id == conversation.c.peer_id,
                counted.c.from_user_id != counted.c.to_user_id,
                counted.c.read_at.is_(None),
                counted.c.deleted_at.is_(None),
            )
            .scalar_subquery()
        )
        other = conversation.alias("other")
        its_other = and_(other.c.user_id == conversation.c.peer_id, other.c.peer_id == conversation.c.user_id)
        by_peer = select(other.c.blocked_at).where(its_other).scalar_subquery().label("by_peer")
        page = (
            select(conversation.c.peer_id, conversation.c.blocked_at, by_peer, unread.label("unread"), *FIELDS)
            .select_from(conversation.join(message, message.c.id == conversation.c.last_message_id))
            .where(own, conversation.c.last_message_id < bindparam("before"))
            .order_by(conversation.c.last_message_id.desc())
        )
        self.conversations = compiled(_limited(page))
        both = or_(
            and_(own, conversation.c.peer_id == bindparam("peer_id")),
            and_(conversation.c.user_id == bindparam("peer_id"), conversation.c.peer_id == bindparam("user_id")),
        )
        is_blocked = conversation.c.blocked_at.is_not(None)
        self.blocks_between = compiled(select(conversation.c.user_id).where(both, is_blocked))
        self.blocked_since = compiled(select(func.min(conversation.c.blocked_at)).where(both, is_blocked))
        as_it_is = {"blocked_at": conversation.c.blocked_at}
        self.touch_blocks = compiled(update(conversation).values(as_it_is).where(both, is_blocked))
        self.latest_between = compiled(select(func.max(conversation.c.last_message_id)).where(both))
        its_own = and_(own, conversation.c.peer_id == bindparam("peer_id"))
        self.date_block = compiled(update(conversation).values(blocked_at=bindparam("blocked_at")).where(its_own))
        blocked = select(conversation.c.peer_id, conversation.c.blocked_at).where(own, is_blocked)
        self.blocked = compiled(blocked.order_by(conversation.c.blocked_at, conversation.c.peer_id))
        first = upsert(conversation).values({c.name: bindparam(c.name) for c in conversation.c})
        key = [conversation.c.user_id, conversation.c.peer_id]
        self.block = compiled(
            first.on_conflict_do_update(
                index_elements=key,
                set_={"blocked_at": first.excluded.blocked_at},
                where=conversation.c.blocked_at.is_(None),
            )
        )
        self.unblock = compiled(update(conversation).values(blocked_at=null()).where(its_own, is_blocked))
        # Who may see whether the other is there: both have written or been written to, and nobody has blocked.
        hidden = select(other.c.user_id).where(its_other, other.c.blocked_at.is_not(None)).exists()
        self.peers = compiled(
            select(conversation.c.peer_id)
            .where(own, conversation.c.last_message_id.is_not(None), conversation.c.blocked_at.is_(None), ~hidden)
            .order_by(conversation.c.last_message_id.desc())
            .limit(bindparam("limit"))
            .offset(_ZERO)
        )

    def _last_seen(self) -> None:
        first = upsert(last_seen).values({c.name: bindparam(c.name) for c in last_seen.c})
        later = {"seen_at": first.excluded.seen_at}
        self.save_last_seen = compiled(first.on_conflict_do_update(index_elements=[last_seen.c.user_id], set_=later))
        self.find_last_seen = compiled(select(last_seen.c.seen_at).where(last_seen.c.user_id == bindparam("id")))


def _history(beyond: ColumnElement[bool], *, is_descending: bool) -> Executable:
    """Return the messages of two users beyond an anchor, each direction by its own index."""
    order = message.c.id.desc() if is_descending else message.c.id
    ends = (("user_id", "peer_id"), ("peer_id", "user_id"))
    sides = [
        _limited(
            select(*FIELDS)
            .where(message.c.from_user_id == bindparam(one), message.c.to_user_id == bindparam(other), beyond)
            .order_by(order)
        ).subquery()
        for one, other in ends
    ]
    both = union(*[select(side) for side in sides]).subquery()
    return _limited(select(both).order_by(both.c.id.desc() if is_descending else both.c.id))


SQL = ChatStatements()
