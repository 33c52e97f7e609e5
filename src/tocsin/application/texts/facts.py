"""What the data of an event says, ready to stand in a sentence of any language."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tocsin.domain.notification import MAX_MESSAGE
from tocsin.domain.text import cut, on_one_line, storable

# Of a name, a place, a number of an order: more would crowd the sentence out.
MAX_NAME = 100
# Python refuses to print the longest integers.
_TOO_LONG = 10**MAX_NAME

_SPELLINGS = {"canceled": "cancelled"}


class Text(NamedTuple):
    """Title and message of a notification, within the limits of both."""

    title: str
    message: str


class Facts(NamedTuple):
    """
    The fields of an event's data; empty where one is missing or no text.

    Attributes:
        platforms: As they were given, each once.
        name: Of the user who liked, commented or wrote.
        status_key: The status in lower case with underscores, to look it up.
        others: Who else did it, in a group.
        number: For how many a digest stands.
        titles: The latest of these.
    """

    platforms: tuple[str, ...]
    error: str
    name: str
    comment: str
    message: str
    order_id: str
    status: str
    status_key: str
    location: str
    carrier: str
    tracking_number: str
    others: int
    number: int
    category: str
    titles: tuple[str, ...]


def facts_of(data: Mapping[str, Any]) -> Facts:
    """Return the facts; values of wrong types count as missing."""
    platforms = data.get("platforms")
    named = [_name(platform) for platform in platforms] if isinstance(platforms, list | tuple) else []
    status = _name(data.get("status"))
    status_key = key_of(status)
    return Facts(
        platforms=tuple(dict.fromkeys(platform for platform in named if platform)),
        error=_line(data.get("error")),
        name=_name(data.get("user_name")) or _name(data.get("from_name")),
        comment=_line(data.get("comment")),
        message=storable(_text(data.get("message"))),
        order_id=_name(data.get("order_id")).removeprefix("#"),
        status=status,
        status_key=_SPELLINGS.get(status_key, status_key),
        location=_name(data.get("location")),
        carrier=_name(data.get("carrier")),
        tracking_number=_name(data.get("tracking_number")),
        others=_number(data.get("others")),
        number=_number(data.get("count")),
        category=_name(data.get("category")),
        titles=tuple(filter(None, map(_name, titles))) if isinstance(titles := data.get("titles"), list) else (),
    )


def key_of(name: str) -> str:
    """Return what tables of names look up: ``Out for delivery`` is ``out_for_delivery``."""
    return name.lower().replace("-", "_").replace(" ", "_")


def names_of(platforms: tuple[str, ...], known: Mapping[str, str]) -> list[str]:
    """Return each platform's name once: ``twitter`` and ``x`` are one."""
    return list(dict.fromkeys(known.get(key_of(platform), platform) for platform in platforms))


def filled(before: str, quote: str, after: str = "") -> str:
    """Return a message around a text of a user, of which as much stands there as fits."""
    return before + cut(quote, MAX_MESSAGE - len(before) - len(after)) + after


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _TOO_LONG
    return str(value) if is_number else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _TOO_LONG else 0


def _line(value: object) -> str:
    # Of ten facts an event tells two or three: what is missing costs nothing.
    return "" if value is None else on_one_line(_text(value))


def _name(value: object) -> str:
    return "" if value is None else cut(on_one_line(_text(value)), MAX_NAME)
