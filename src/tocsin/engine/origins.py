"""
Which web pages may talk to the server: one rule for REST, polling and WebSocket.

A request without an ``Origin`` header comes from no web page and is not a
matter of this module. Which headers an answer carries isn't either.
"""

from collections.abc import Callable, Iterable
from typing import Final

AllowOrigin = Callable[[str, str, str], bool]
"""``(origin, scheme, host)`` of a request, scheme ``http`` or ``https`` → may it be answered?"""

_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


def same_origin(origin: str, scheme: str, host: str) -> bool:
    """
    Allow pages that this server serves itself (RFC 6454, section 5).

    Args:
        origin: The ``Origin`` header; ``null`` is never allowed.
        scheme: ``http`` or ``https``, as the client sees it.
        host: The ``Host`` header.
    """
    if not host:
        return False
    if origin == f"{scheme}://{host}":
        return True
    return _normalized(origin) == _normalized(f"{scheme}://{host}")


def allow_list(origins: Iterable[str]) -> AllowOrigin:
    """
    Allow what ``same_origin`` does and these origins, compared as a whole.

    Args:
        origins: Such as ``https://shop.example`` or ``http://localhost:5173``;
            ``*`` among them allows every page.

    Raises:
        ValueError: An entry is not an origin.
    """
    listed = set()
    for entry in origins:
        origin = entry.strip()
        if origin == "*":
            return lambda _origin, _scheme, _host: True
        normal = _normalized(origin)
        _, _, authority = normal.partition("://")
        if not normal.startswith(("http://", "https://")) or not authority or set(authority) & set("/?#@*, "):
            raise ValueError(f"not an origin: {entry!r}; write scheme://host or scheme://host:port")
        listed.add(normal)
    allowed = frozenset(listed)
    return lambda origin, scheme, host: _normalized(origin) in allowed or same_origin(origin, scheme, host)


def _normalized(origin: str) -> str:
    """Lower-case, without the port that the scheme implies."""
    origin = origin.lower()
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], ":"))
