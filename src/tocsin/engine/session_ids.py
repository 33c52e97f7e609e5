"""Ids of sessions and sockets: 120 random bits each, as URL-safe text of 20 characters."""

import base64
import os

_BITS = 120
_LENGTH = _BITS // 6
_AT_ONCE = 128
_unused: list[str] = []


def session_id() -> str:
    """
    Return an id that nobody can guess and no other session has; safe from any thread.

    The kernel is asked for many at once: a call costs as much as all else about an id. A forked child makes its own.
    """
    while True:
        try:
            return _unused.pop()
        except IndexError:
            text = base64.urlsafe_b64encode(os.urandom(_BITS // 8 * _AT_ONCE)).decode("ascii")
            _unused.extend(text[start : start + _LENGTH] for start in range(0, len(text), _LENGTH))


os.register_at_fork(after_in_child=_unused.clear)
