"""
Where Web Push may go: a URL from a browser must not turn this server on its own network (SSRF).

An endpoint names a host that is on the allow-list, by https on port 443, and
every address of the host is public. It is judged when it is saved and again
when something is sent. The sender connects to the very addresses that
``addresses`` has judged, so a name that changes in between leads nowhere else.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from tocsin.domain.errors import Invalid, Overloaded
from tocsin.domain.web_push import MAX_ENDPOINT
from tocsin.settings import is_loopback_fake

LOOK_UP_S = 5.0

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]

# Stricter than RFC 3986 on purpose: what two parsers could read in two ways is no endpoint.
# No user info, no upper case or Unicode in the host, no trailing dot, no fragment.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*"
_PATH = r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*"
_PUBLIC = re.compile(rf"https://({_HOST})(?::443)?{_PATH}")
_LOOPBACK = re.compile(rf"https?://((?:{_HOST}|\[::1\]):[0-9]{{1,5}}){_PATH}")

# Global unicast (RFC 4291, 2.4), without what leads through tunnels, to nobody or to anybody
# (RFC 6890; RFC 7526 for the last). Of these, releases of Python differ in what is global.
_UNICAST = IPv6Network("2000::/3")
_SPECIAL = tuple(
    map(
        ip_network,
        ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24"),
    )
)
# What translates to IPv4 (RFC 6052): the address that counts is inside.
_NAT64 = IPv6Network("64:ff9b::/96")


class NotAllowed(Invalid):
    """Pushes may not go to this endpoint; the detail does not tell it."""


class Unresolved(Overloaded):
    """The name of a push service can't be resolved now."""


@dataclass(frozen=True, slots=True)
class _Place:
    host: str
    is_fake: bool


class PushEndpoints:
    """
    Judges endpoints; implements the port of the same name. Belongs to the event loop's thread.

    Args:
        hosts: The allow-list: an entry stands for a host and all below it; one with
            a port for a fake on loopback, by http or https.
        look_up: Resolves a host and port to addresses, as text; OSError where it can't.
    """

    def __init__(self, hosts: Sequence[str], look_up: LookUp | None = None) -> None:
        self._hosts = tuple(host for host in hosts if not is_loopback_fake(host))
        self._fakes = frozenset(host for host in hosts if is_loopback_fake(host))
        self._look_up = look_up or _resolve

    async def check(self, endpoint: str) -> None:
        """
        Accept an endpoint that pushes may go to.

        Raises:
            NotAllowed: They may not.
            Unresolved: Nobody can say now.
        """
        place = self._place(endpoint)
        parts = urlsplit(endpoint)
        try:
            async with asyncio.timeout(LOOK_UP_S):
                await self.addresses(place.host, parts.port or 443)
        except (OSError, TimeoutError):
            raise Unresolved("the name of the push service can't be resolved now", retry_after_s=5) from None

    def check_url(self, endpoint: str) -> None:
        """
        Accept what may be an endpoint, by its text alone.

        Raises:
            NotAllowed: It may not.
        """
        self._place(endpoint)

    async def addresses(self, host: str, port: int) -> list[str]:
        """
        Return the addresses of a host, all of them public; on loopback those of a fake.

        Raises:
            NotAllowed: The host is not on the allow-list, or one of its addresses is not public.
            OSError: The host can't be resolved.
        """
        is_fake = f"{_bracketed(host)}:{port}" in self._fakes
        if not is_fake and not self._is_listed(host):
            raise _not_allowed()
        found = await self._look_up(host, port)
        if not found:
            raise OSError("no address")
        is_right = _is_loopback if is_fake else is_public
        if not all(map(is_right, found)):
            raise NotAllowed("the endpoint's host has an address that is not public")
        return list(found)

    def _place(self, endpoint: str) -> _Place:
        if len(endpoint) > MAX_ENDPOINT:
            raise _not_allowed()
        if (found := _PUBLIC.fullmatch(endpoint)) and self._is_listed(found[1]):
            return _Place(found[1], is_fake=False)
        if (found := _LOOPBACK.fullmatch(endpoint)) and found[1] in self._fakes:
            return _Place(found[1].rpartition(":")[0].strip("[]"), is_fake=True)
        raise _not_allowed()

    def _is_listed(self, host: str) -> bool:
        return any(host == listed or host.endswith(f".{listed}") for listed in self._hosts)


def is_public(text: str) -> bool:
    """Return whether an address, as text, is one of the public internet that one host has."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address in _NAT64:
            address = IPv4Address(int(address) & 0xFFFF_FFFF)
        elif address not in _UNICAST:
            return False
    if any(address.version == network.version and address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _is_loopback(text: str) -> bool:
    try:
        return ip_address(text).is_loopback
    except ValueError:
        return False


async def _resolve(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _not_allowed() -> NotAllowed:
    return NotAllowed("endpoint must be the https URL of a push service that TOCSIN_WEBPUSH_HOSTS allows")
