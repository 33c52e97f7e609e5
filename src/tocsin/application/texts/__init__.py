"""
The words of notifications that the server writes itself, one module a language.

What users said (names, comments, messages) is put in as it is, as data: only
what would break a sentence is taken out of it, and what is too long is cut.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from tocsin.application.texts import english, korean
from tocsin.application.texts.facts import Facts, Text, facts_of
from tocsin.domain.notification import MAX_MESSAGE, MAX_TITLE
from tocsin.domain.text import cut

__all__ = ["LANGUAGES", "Lang", "Text", "text_of"]

Lang = Literal["en", "ko"]

LANGUAGES: dict[Lang, dict[str, Callable[[Facts], Text]]] = {"en": english.EVENTS, "ko": korean.EVENTS}


def text_of(event: str, data: Mapping[str, Any], lang: Lang = "en") -> Text | None:
    """
    Return title and message that tell a user of an event, or None where no words are kept for it.

    Safe from any thread; never raises for what ``data`` holds.

    Args:
        event: Its name, such as ``publish_success``.
        data: The fields of the event as the registry has them (``domain.events``), and
            ``user_name`` or ``from_name``; each may be missing.
        lang: The language.
    """
    words = LANGUAGES[lang].get(event)
    if words is None:
        return None
    title, message = words(facts_of(data))
    return Text(cut(title, MAX_TITLE), cut(message, MAX_MESSAGE))
