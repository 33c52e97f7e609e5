"""
What a flush stores is told by the streams, in its transaction.

Counters are taken in ascending user id over the whole flush, see
``streams.append_to_all``. What each model tells is said there.
"""

from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, event, inspect
from sqlalchemy.orm import InstanceState, Mapper, ORMExecuteState, Session, object_session

from tocsin.adapters.sql import streams
from tocsin.adapters.sql.arrivals import with_badge
from tocsin.adapters.sql.transaction import Foreseen, Transaction
from tocsin.domain.errors import Invalid
from tocsin.domain.stream import StreamKey
from tocsin.models.host_session import HostSession
from tocsin.models.model import Model, Telling

_BY_KEY = attrgetter("key")
_PART = "tocsin_part_to_flush"


def _before_insert(_mapper: Mapper[Any], connection: Connection, target: Model) -> None:
    _tell(connection, target)


def _before_update(_mapper: Mapper[Any], connection: Connection, target: Model) -> None:
    _tell(connection, target)


def _before_delete(_mapper: Mapper[Any], connection: Connection, target: Model) -> None:
    _tell(connection, target, is_orphan=True)


def _tell(connection: Connection, target: Model, *, is_orphan: bool = False) -> None:
    """Tell of the whole flush at its first row, and of what was not foreseen then at its own."""
    session = object_session(target)
    if session is None:
        return
    host = HostSession.of(session)
    is_first = host.told is None
    told = host.told = set() if host.told is None else host.told
    if id(target) in told:
        return
    with host.writing(session, connection) as transaction:
        tellings: list[Telling] = []
        # Before anything is read: others may be at work on the same streams.
        transaction.foresee(Foreseen(_streams(session, target) if is_first else target._streams()))  # noqa: SLF001 ours
        for model, found in _flushed(session, transaction) if is_first else ():
            tellings += found
            told.add(id(model))
        if id(target) not in told and is_orphan:
            tellings += target._deleted(transaction)  # noqa: SLF001 ours
        told.add(id(target))
        _append(transaction, tellings)


def _flushed(session: Session, transaction: Transaction) -> Iterator[tuple[Model, Sequence[Telling]]]:
    for model in _ours(session, session.new):
        yield model, model._created(transaction)  # noqa: SLF001 ours
    for model in _ours(session, session.dirty):
        if names := _changed_names(model):
            yield model, model._changed(transaction, names)  # noqa: SLF001 ours
    for model in _ours(session, session.deleted):
        yield model, model._deleted(transaction)  # noqa: SLF001 ours


def _ours(session: Session, models: Iterable[object]) -> Iterator[Model]:
    part = session.info.get(_PART)
    return (one for one in models if isinstance(one, Model) and (part is None or id(one) in part))


def _streams(session: Session, target: Model) -> list[StreamKey]:
    changed = (one for one in _ours(session, session.dirty) if _changed_names(one))
    models = (*_ours(session, session.new), *changed, *_ours(session, session.deleted), target)
    return [key for one in models for key in one._streams()]  # noqa: SLF001 ours


def _changed_names(model: Model) -> list[str]:
    state: InstanceState[Any] = inspect(model)
    return [attribute.key for attribute in state.attrs if attribute.history.has_changes()]


def _append(transaction: Transaction, tellings: Sequence[Telling]) -> None:
    events = []
    for telling in sorted(tellings, key=_BY_KEY):
        seq, unread = streams.count(transaction, telling.key, telling.unread)
        payload = telling.payload if unread is None else with_badge(telling.payload, unread)
        if telling.owner is not None:
            telling.owner.seq = seq  # type: ignore[attr-defined]
            telling.owner._numbered(transaction)  # noqa: SLF001 ours
        events.append(streams.stamped(transaction, telling.key, seq, telling.event, payload))
    streams.put_events(transaction, events)


def _note_part(session: Session, _context: object, instances: Sequence[object] | None) -> None:
    # ``session.flush(objects)`` stores these alone; the others are told of when they are.
    session.info[_PART] = {id(one) for one in instances} if instances else None


def _refuse_bulk(state: ORMExecuteState) -> None:
    if not (state.is_insert or state.is_update or state.is_delete):
        return
    mapper = state.bind_mapper
    if mapper is not None and issubclass(mapper.class_, Model) and mapper.class_._is_told():  # noqa: SLF001 ours
        kind = mapper.class_.__name__
        raise Invalid(
            f"a statement over many of {kind} would reach no client: add, change or delete each in the session"
        )


event.listen(Model, "before_insert", _before_insert, propagate=True)
event.listen(Model, "before_update", _before_update, propagate=True)
event.listen(Model, "before_delete", _before_delete, propagate=True)
event.listen(Session, "before_flush", _note_part)
event.listen(Session, "do_orm_execute", _refuse_bulk)
