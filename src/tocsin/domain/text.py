"""What may stand in a text that is stored and shown."""

import re
import unicodedata

from tocsin.domain.errors import Invalid

ELLIPSIS = "…"

# What belongs to the character before it and has no category of its own that says so: emoji
# modifiers, tags of flags, zero-width (non-)joiners, Thai and Lao AM, vowels and finals of Hangul jamo.
_CONTINUES = re.compile(
    "[\u0e33\u0eb3\u1160-\u11ff\u200c\u200d\ud7b0-\ud7fb\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f]"
)
_REGIONAL = range(0x1F1E6, 0x1F200)
_MARKS = frozenset({"Mn", "Mc", "Me"})
_ZERO_WIDTH_JOINER = "\u200d"
_VIRAMA_CLASS = 9
# Marks can be heaped on one letter without end; nothing that is written has more.
_LONGEST_CHARACTER = 64

_UNPRINTABLE = re.compile("[\0\ud800-\udfff]")
# Embeddings, overrides and isolates turn around what follows them in the sentence that a name stands in.
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def check_text(field: str, text: str, most: int, *, least: int = 1) -> None:
    """
    Accept a text of ``least`` to ``most`` characters that every database can hold.

    Raises:
        Invalid: Other length, a NUL (PostgreSQL stores none) or a lone
            surrogate (UTF-8 has none).
    """
    if not least <= len(text) <= most:
        raise Invalid(f"{field} must have {least} to {most} characters")
    if "\0" in text:
        raise Invalid(f"{field} holds a NUL character")
    # Most text is stored as ASCII or Latin-1 inside Python and can't hold one.
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Invalid(f"{field} holds a lone surrogate") from None


def cut(text: str, most: int) -> str:
    """
    Return the text, or its beginning with an ellipsis: ``most`` characters at the most.

    Never between what readers see as one character (UAX #29): a letter and its
    marks, the parts of an emoji or a flag, a Hangul syllable of jamo.
    """
    if len(text) <= most:
        return text
    end = most - len(ELLIPSIS)
    for place in range(end, max(end - _LONGEST_CHARACTER, 0), -1):
        if _is_between(text, place):
            end = place
            break
    return text[:end].rstrip() + ELLIPSIS


def _is_between(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    if unicodedata.category(after) in _MARKS or _CONTINUES.match(after):
        return False
    # A virama joins two consonants of an Indic script, a joiner two emoji.
    if before == _ZERO_WIDTH_JOINER or unicodedata.combining(before) == _VIRAMA_CLASS:
        return False
    if ord(after) in _REGIONAL:
        # Two of these letters are one flag.
        halves = 0
        while halves < place and ord(text[place - 1 - halves]) in _REGIONAL:
            halves += 1
        return halves % 2 == 0
    return True


def on_one_line(text: str) -> str:
    """Return a text fit to stand inside a sentence: white space is one space, and no control turns its direction."""
    if not text.isascii():
        text = _DIRECTIONS.sub("", text)
    return " ".join(storable(text).split())


def storable(text: str) -> str:
    """Return the text with U+FFFD in place of what no database can hold."""
    # Every call of a host comes here: a look at plain text costs less than the pattern.
    return text if text.isascii() and "\0" not in text else _UNPRINTABLE.sub("\ufffd", text)
