"""``publish_in``: an event inside a host's own transaction, committed with it or not at all."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session, scoped_session

from tocsin.adapters.sql import writes
from tocsin.adapters.sql.statements import SQL
from tocsin.application.drafts import draft_event, draft_message, draft_notification
from tocsin.application.ports import Draft
from tocsin.application.texts import Lang
from tocsin.bootstrap import settings_here
from tocsin.domain.errors import Invalid, NotInitialized
from tocsin.domain.notification import MAX_RECIPIENTS
from tocsin.domain.user_id import parse_user_id
from tocsin.models import Notification
from tocsin.models.host_session import HostSession

_MESSAGE_FIELDS = frozenset({"from_user_id", "message", "client_msg_id"})


def publish_in(
    session: "Session | scoped_session[Any]",
    namespace: str,
    event: str,
    user_id: int | str | Sequence[int | str],
    data: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """
    Publish in the session's own transaction: committed together, or not at all.

    The users' devices hear of it after the commit, on any node; a process that
    dies between the two loses nothing. From here to the end of the transaction
    the session holds a lock, and the server's writes wait for it and are refused
    with a 503 then: on SQLite all writes, for five seconds at most; on PostgreSQL
    those to the same users and what goes with them in one commit, for ten.

    Belongs to the session's thread. With an AsyncSession:
    ``await session.run_sync(lambda sync: publish_in(sync, …))``.

    Args:
        session: Its database is the server's.
        namespace: ``/sns`` or ``/orders``, ``/notifications``, ``/chat``.
        event: A durable event of the namespace; ``notification``; ``message_received``.
        user_id: Who hears it: one user, or up to 1,000.
        data: Fields of the event. Of a notification: as for ``broadcast_notification``. Of a
            message: ``from_user_id``, ``message`` and, if it has one, ``client_msg_id``.

    Returns:
        The events, as ``GET /api/stream`` lists them, with user and namespace.

    Raises:
        Invalid: No such event, or a wrong field; nothing was written.
        PayloadTooBig: ``data`` exceeds the limit; nothing was written.
        KeyReused: The ``client_msg_id`` was used for another message.
        NotInitialized: The session's database has no tables of tocsin.
    """
    users = [user_id] if isinstance(user_id, int | str) else list(user_id)
    prepared = [writes.prepare(draft) for draft in _drafts(namespace, event, users, data)]
    sync = _sync_session(session)
    # What was added before comes before, unless the host is in a flush of its own, which can't have another inside.
    if sync.autoflush and not getattr(sync, "_flushing", False):
        sync.flush()
    connection = sync.connection(bind_arguments={"mapper": Notification})
    with HostSession.of(sync).writing(sync, connection) as transaction:
        transaction.foresee(writes.foreseen(prepared))
        writes.perform(transaction, prepared)
        epoch = (transaction.row(SQL.epoch, {}) or [""])[0]
    return [one.addressed_record(epoch) for one in transaction.events]


def _drafts(namespace: str, event: str, users: Sequence[int | str], data: Mapping[str, Any]) -> list[Draft]:
    if not 1 <= len(users) <= MAX_RECIPIENTS:
        raise Invalid(f"user_id must be 1 to {MAX_RECIPIENTS} users")
    ordered = sorted({parse_user_id(user_id) for user_id in users})
    if (namespace, event) == ("/notifications", "notification"):
        return [draft_notification(user_id, data) for user_id in ordered]
    if (namespace, event) == ("/chat", "message_received"):
        if unknown := sorted(data.keys() - _MESSAGE_FIELDS):
            raise Invalid(f"data.{unknown[0]} is no field of a message")
        sender, message, key = (data.get(name) for name in ("from_user_id", "message", "client_msg_id"))
        if key is not None and len(ordered) > 1:
            raise Invalid("data.client_msg_id is of one message, and to several users there are several")
        return [draft_message(sender, user_id, message, key) for user_id in ordered]
    kind, draft = draft_event(namespace, event, ordered, data, _lang())
    if not kind.durable:
        raise Invalid(f"'{event}' is not stored and needs no transaction: broadcast it after the commit")
    return [draft]


def _lang() -> Lang:
    try:
        return settings_here().lang
    except NotInitialized:
        # The session alone says where to publish.
        return "en"


def _sync_session(session: object) -> Session:
    if isinstance(session, scoped_session):
        session = session()
    if isinstance(session, Session):
        return session
    if hasattr(session, "sync_session"):
        raise Invalid("with an AsyncSession: await session.run_sync(lambda session: publish_in(session, …))")
    raise Invalid("publish_in needs a session of SQLAlchemy")
