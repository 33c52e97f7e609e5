"""
User ids: one user whatever form the id came in.

An id is a string of at most 128 characters. One that is a canonical decimal
integer below 2^53 is given out as a JSON number, anything else as a string, so
``456`` and ``"456"`` are one user and ``===`` holds in a browser.
"""

from typing import NewType

from tocsin.domain.errors import Invalid

UserId = NewType("UserId", str)

MAX_LENGTH = 128
_MAX_SAFE_INTEGER = 2**53


def parse_user_id(value: object, field: str = "user_id") -> UserId:
    """
    Return the canonical form of an id given as an integer or a string.

    Raises:
        Invalid: Not an integer or string, empty, longer than 128 characters,
            or holding a control character or a lone surrogate.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if abs(value) >= 10**MAX_LENGTH:
            raise Invalid(f"{field} is longer than {MAX_LENGTH} characters")
        return UserId(str(value))
    if not isinstance(value, str):
        raise Invalid(f"{field} must be a string or an integer")
    if not 0 < len(value) <= MAX_LENGTH:
        raise Invalid(f"{field} must have 1 to {MAX_LENGTH} characters")
    if not value.isprintable():
        raise Invalid(f"{field} holds a character that is not printable")
    return UserId(value)


def user_id_json(user_id: UserId) -> int | str:
    """Return the id as it is given out: a number where it is one, else a string."""
    if user_id.isascii() and user_id.isdigit() and (user_id[0] != "0" or len(user_id) == 1):
        number = int(user_id)
        if number < _MAX_SAFE_INTEGER:
            return number
    return user_id
