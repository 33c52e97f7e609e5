"""The schema's tables with Python's types: ids as they are given out, aware instants, dictionaries."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import BigInteger, Dialect, LargeBinary, MetaData, Table, Text, TypeDecorator

from tocsin.application.drafts import encode_json
from tocsin.domain.errors import Invalid
from tocsin.domain.timestamp import from_datetime
from tocsin.domain.user_id import UserId, parse_user_id, user_id_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UserIdText(TypeDecorator[int | str]):
    """A user id: any integer or string in, the form that JSON has out."""

    impl = Text
    cache_ok = True

    @property
    def sort_key_function(self) -> Callable[[Any], Any]:  # type: ignore[override]
        """Return what puts numbers and strings in one order."""
        return str

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002 SQLAlchemy's
        """Return the canonical form."""
        return None if value is None else parse_user_id(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> int | str | None:  # noqa: ARG002 SQLAlchemy's
        """Return the form that is given out."""
        return None if value is None else user_id_json(UserId(value))


class Instant(TypeDecorator[datetime]):
    """Milliseconds since 1970: an aware datetime outside, a naive one is taken as UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:  # noqa: ARG002 SQLAlchemy's
        """Return milliseconds."""
        return None if value is None else from_datetime(in_utc("instant", value))

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002 SQLAlchemy's
        """Return a datetime in UTC."""
        return None if value is None else to_datetime(value)


class JsonObject(TypeDecorator[dict[str, Any]]):
    """The bytes that go over the wire: a dictionary outside."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:  # noqa: ARG002 SQLAlchemy's
        """Return JSON."""
        return None if value is None else encode_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> dict[str, Any] | None:  # noqa: ARG002 SQLAlchemy's
        """Return a dictionary."""
        return None if value is None else orjson.loads(value)


USER_IDS = frozenset({"user_id", "from_user_id", "to_user_id", "claimed_by"})
INSTANTS = frozenset(
    {"created_at", "last_seen_at", "seen_at", "read_at", "expires_at", "delivered_at", "edited_at", "deleted_at"}
    | {"archived_at", "snoozed_until", "updated_at", "claimed_at"}
)
OBJECTS = frozenset({"data", "attachments", "ciphertext", "group_actors"})
_metadata = MetaData()


def typed(table: Table) -> Table:
    """Return a copy of one of the schema's tables for a model."""
    copy = table.to_metadata(_metadata)
    for column in copy.c:
        if column.name in USER_IDS:
            column.type = UserIdText()
        elif column.name in INSTANTS:
            column.type = Instant()
        elif column.name in OBJECTS:
            column.type = JsonObject()
    return copy


def to_datetime(instant: int) -> datetime:
    """Return milliseconds since 1970 as a datetime in UTC."""
    return _EPOCH + timedelta(milliseconds=instant)


def in_utc(name: str, moment: object) -> datetime:
    """
    Return an aware datetime; a naive one is taken as UTC.

    Raises:
        Invalid: It is no datetime.
    """
    if not isinstance(moment, datetime):
        raise Invalid(f"{name} must be a datetime")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
