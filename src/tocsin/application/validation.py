"""What is wrong with JSON from outside: what pydantic found, in the words of JSON, and what no decoder says."""

import json
from itertools import filterfalse
from math import isfinite

from pydantic import ValidationError

from tocsin.domain.errors import Invalid

_WORDS = {
    "missing": "is required",
    "extra_forbidden": "there is no such field",
    "model_type": "must be an object",
    "dict_type": "must be an object",
}
_TYPES = frozenset({"int", "str", "constrained-int", "constrained-str"})
_MAX_FIELD = 64
_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_LONG = b"0" * 19


def findings(error: ValidationError) -> list[str]:
    """
    Return a text for each field that is wrong, in order: its name and what it must be.

    Values are not repeated, and names, which may be a stranger's, not beyond 64 characters.
    """
    wrong: dict[str, list[str]] = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        # A union says for each of its types why it is not that one.
        name = ".".join(str(part) for part in (*one["loc"][:1], *filterfalse(_TYPES.__contains__, one["loc"][1:])))
        text = one["msg"].removeprefix("Value error, ").replace("Input should", "must")
        wrong.setdefault(name[:_MAX_FIELD] or "body", []).append(_WORDS.get(one["type"], text))
    return [f"{name}: {' or '.join(dict.fromkeys(texts))}" for name, texts in wrong.items()]


def refuse_long_integers(content: bytes) -> None:
    """
    Refuse JSON with an integer that is beyond 64 bits: orjson makes another number of it, without a word.

    Args:
        content: What orjson has taken, nested no deeper than the parser of Python goes.

    Raises:
        Invalid: There is one.
    """
    if _LONG in content.translate(_ALIKE):  # the cheap look, which most bodies pass
        json.loads(content, parse_int=_short)


def refuse_no_numbers(value: object, encoded: bytes) -> None:
    """
    Refuse NaN and infinities: orjson makes null of them, without a word.

    Args:
        value: What was encoded, of dictionaries, lists and tuples.
        encoded: As what.

    Raises:
        Invalid: There is one.
    """
    if b"null" in encoded and _holds_no_number(value):  # the cheap look, which most pass
        raise Invalid("data is not JSON: it holds NaN or an infinity")


def _holds_no_number(value: object) -> bool:
    if isinstance(value, float):
        return not isfinite(value)
    if isinstance(value, dict):
        return any(_holds_no_number(one) for pair in value.items() for one in pair)
    return isinstance(value, list | tuple) and any(map(_holds_no_number, value))


def _short(digits: str) -> int:
    number = int(digits)
    if not -(2**63) <= number < 2**64:
        raise Invalid("an integer of more than 64 bits can't be kept exactly: send it as a string")
    return number
