"""Events that a back end publishes: posts, orders, presence."""

import types
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson

from tocsin.application.once import Once
from tocsin.application.ports import Bus, Store
from tocsin.application.texts import Lang, text_of
from tocsin.application.validation import refuse_no_numbers
from tocsin.domain.errors import Invalid, PayloadTooBig
from tocsin.domain.events import EventType, find_event_type
from tocsin.domain.notification import MAX_RECIPIENTS
from tocsin.domain.stream import StreamEvent
from tocsin.domain.timestamp import iso, now_ms
from tocsin.domain.user_id import UserId

MAX_PAYLOAD_BYTES = 65_536
_SET_BY_SERVER = ("event_id", "seq", "epoch")
_WORDS: dict[Any, str] = {str: "a string", int: "an integer", list[str]: "a list of strings"}

Check = Callable[[object], bool]


class Activity:
    """
    Use-cases of published events. Belongs to the event loop's thread.

    Args:
        store: Where durable events are committed.
        bus: Where ephemeral ones go.
        lang: Language of the words for those that come without.
    """

    def __init__(self, store: Store, bus: Bus, lang: Lang = "en") -> None:
        self._store = store
        self._bus = bus
        self._lang = lang

    async def publish(
        self,
        namespace: str,
        event: str,
        user_ids: Sequence[UserId],
        data: dict[str, Any],
        *,
        durable: bool | None = None,
        once: Once | None = None,
    ) -> list[StreamEvent]:
        """
        Deliver a registered event to users; a durable one is committed first.

        Known fields of ``data`` have their type, others are passed on as they
        are; ``timestamp`` is added where it is missing, and so is the ``message``
        of an event that may have one. With ``durable`` None
        the registry decides.

        Returns:
            The committed events, users in ascending id; none for an ephemeral one.

        Raises:
            Invalid: No such event to publish, wrong users, or a wrong field.
            PayloadTooBig: ``data`` exceeds 64 KiB encoded.
            KeyReused: ``once`` was used for another request.
        """
        kind = publishable_event(namespace, event)
        if not 1 <= len(user_ids) <= MAX_RECIPIENTS:
            raise Invalid(f"user_ids must hold 1 to {MAX_RECIPIENTS} users")
        payload, encoded = check_payload(kind, worded(kind, data, self._lang))
        if kind.durable if durable is None else durable:
            return await self._store.append_event(namespace, event, user_ids, encoded, once)
        for user_id in dict.fromkeys(user_ids):
            self._bus.publish_ephemeral(user_id, namespace, event, payload)
        return []


def publishable_event(namespace: str, event: str) -> EventType:
    """
    Return the registered event that a back end may publish.

    Raises:
        Invalid: There is none of this name.
    """
    kind = find_event_type(namespace, event)
    if kind is None or not kind.publishable:
        raise Invalid(f"there is no event '{event}' to publish on '{namespace}'")
    return kind


def worded(kind: EventType, data: dict[str, Any], lang: Lang) -> dict[str, Any]:
    """Return the data, with the server's words where the event may have a ``message`` and has none."""
    if "message" in data or "message" not in kind.payload.__annotations__:
        return data
    words = text_of(kind.name, data, lang)
    return data if words is None else {**data, "message": words.message}


def check_payload(kind: EventType, data: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """
    Return the payload of an event, with a ``timestamp``, and its encoded form.

    Raises:
        Invalid: A known field has another type, or something is not JSON.
        PayloadTooBig: It exceeds 64 KiB encoded.
    """
    _check_fields(kind, data)
    payload = data if "timestamp" in data else {**data, "timestamp": iso(now_ms())}
    return payload, _encode(payload)


def _check_fields(kind: EventType, data: dict[str, Any]) -> None:
    for name in _SET_BY_SERVER:
        if name in data:
            raise Invalid(f"data.{name} is set by the server")
    checks = _checks(kind.payload)
    for name, value in data.items():
        if name in checks and not checks[name](value):
            raise Invalid(f"data.{name} must be {_words_of(get_type_hints(kind.payload)[name])}")


@cache
def _checks(payload: type) -> dict[str, Check]:
    return {name: _check_of(hint) for name, hint in get_type_hints(payload).items()}


def _check_of(hint: Any) -> Check:
    """Return what tells whether a value is of the hinted type; made once, because looking into a hint is slow."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        options = [_check_of(option) for option in get_args(hint)]
        return lambda value: any(is_option(value) for is_option in options)
    if origin is list:
        is_item = _check_of(get_args(hint)[0])
        return lambda value: isinstance(value, list) and all(is_item(item) for item in value)
    if hint is bool:
        return lambda value: isinstance(value, bool)
    # A bool is none of the others, though Python counts it as an int.
    return lambda value: isinstance(value, hint) and not isinstance(value, bool)


def _words_of(hint: Any) -> str:
    return " or ".join(_WORDS[option] for option in ((hint,) if hint in _WORDS else get_args(hint)))


def _encode(payload: dict[str, Any]) -> bytes:
    try:
        encoded = orjson.dumps(payload)
    except TypeError as error:
        raise Invalid(f"data is not JSON: {error}") from None
    refuse_no_numbers(payload, encoded)
    if len(encoded) > MAX_PAYLOAD_BYTES:
        raise PayloadTooBig(f"data exceeds {MAX_PAYLOAD_BYTES} bytes")
    return encoded
