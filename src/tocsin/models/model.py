"""What all models share: what may be assigned to them, and ``.query`` in a Flask application."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import inspect
from sqlalchemy.orm import DeclarativeBase, InstanceState, attributes, validates

from tocsin.adapters.sql import schema
from tocsin.adapters.sql.transaction import Transaction
from tocsin.domain.errors import Invalid, NotInitialized
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import parse_user_id, user_id_json
from tocsin.models.columns import INSTANTS, USER_IDS, in_utc, to_datetime

_NAMES = sorted({column.name for table in schema.metadata.sorted_tables for column in table.c})


@dataclass(frozen=True, slots=True)
class Telling:
    """
    An event that a flush owes a stream.

    Attributes:
        owner: The model whose ``seq`` is the event's, if one is.
        unread: By how much it changes the badge; None: its stream has none.
    """

    key: StreamKey
    event: str
    payload: bytes
    owner: "Model | None" = None
    unread: int | None = None


class _Query:
    """Flask-SQLAlchemy's ``Model.query``, with its pages and ``…_or_404``."""

    def __get__(self, _target: object, model: type["Model"]) -> Any:
        try:
            from flask import current_app  # noqa: PLC0415 only hosts with Flask have it

            database = current_app.extensions["sqlalchemy"]
        except (ImportError, RuntimeError, KeyError):
            raise NotInitialized(
                f"{model.__name__}.query needs an application context of Flask with Flask-SQLAlchemy; "
                f"elsewhere use session.query({model.__name__})"
            ) from None
        return database.Query(model, session=database.session())


class Model(DeclarativeBase):
    """
    The base of all models; a host's ``Session(binds={Model: engine})`` names it.

    A model belongs to its session, and so to one thread at a time.
    """

    query: ClassVar[Any] = _Query()

    # Columns that may change once the row is stored; None: all.
    _changeable: ClassVar[frozenset[str] | None] = None

    @validates(*_NAMES)
    def _accept(self, name: str, value: Any) -> Any:
        if value is not None and name in USER_IDS:
            value = user_id_json(parse_user_id(value, name))
        elif value is not None and name in INSTANTS:
            value = in_utc(name, value)
        if self._changeable is not None and self._is_stored() and value != self.__dict__.get(name, value):
            self._refuse_change(name, value)
        return value

    def _is_stored(self) -> bool:
        state: InstanceState[Any] = inspect(self)
        return state.has_identity

    def _refuse_change(self, name: str, value: object) -> None:
        kind = type(self).__name__
        if name not in (self._changeable or ()):
            raise Invalid(f"{name} of a stored {kind} can't be changed: the clients that show it would not hear of it")
        if value is None:
            raise Invalid(f"{name} of a stored {kind} can't be taken back")

    def _streams(self) -> Sequence[StreamKey]:
        """Return those that a flush of it may tell something."""
        return ()

    # What a flush tells the streams. Each may look into the transaction and write to it.

    def _created(self, transaction: Transaction) -> Sequence[Telling]:  # noqa: ARG002 a model's own may need it
        return ()

    def _changed(self, transaction: Transaction, names: Sequence[str]) -> Sequence[Telling]:  # noqa: ARG002
        return ()

    def _deleted(self, transaction: Transaction) -> Sequence[Telling]:  # noqa: ARG002
        return ()

    def _numbered(self, transaction: Transaction) -> None:
        """Its event has its seq now."""

    @classmethod
    def _is_told(cls) -> bool:
        return cls._changeable is not None


def take_over(model: Model, row: Sequence[int | None] | None, *names: str) -> None:
    """
    Let a model show instants as they stand in its row, with nothing left to flush.

    Another may have set them first: what was told of then is what counts.
    """
    for name, instant in zip(names, row or (), strict=False):
        attributes.set_committed_value(model, name, None if instant is None else to_datetime(instant))
