"""
Who the client is when a reverse proxy stands before the server, and what each address holds.

Forwarding headers are believed only from addresses that were named as proxies;
everybody else could write anything into them.
"""

import asyncio
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network


@lru_cache(maxsize=4_096)
def network_of(host: str) -> str:
    """Return what one customer has: an IPv4 address, or a /64 of IPv6, where addresses cost nothing."""
    try:
        address = ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else f"{IPv6Address(int(address) >> 64 << 64)}/64"
    return str(address)


def peer_of(tcp: asyncio.BaseTransport) -> str:
    """Return the host at the other end of a connection; empty on a Unix socket."""
    name = tcp.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) else ""


class PerAddress:
    """
    What each address holds, up to a number.

    Args:
        most: How many; 0: any number, and nothing is counted.
    """

    __slots__ = ("_held", "_most")

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many addresses hold anything."""
        return len(self._held)

    def has_room(self, address: str) -> bool:
        """Return whether an address may have one more."""
        return not self._most or self._held.get(network_of(address), 0) < self._most

    def add(self, address: str | None) -> bool:
        """Count one, beyond the number as well; return whether it is within the number."""
        if not self._most or not address:
            return True
        network = network_of(address)
        held = self._held[network] = self._held.get(network, 0) + 1
        return held <= self._most

    def remove(self, address: str | None) -> None:
        """Count one less, where one was counted."""
        if not self._most or not address:
            return
        network = network_of(address)
        held = self._held.pop(network, 0)
        if held > 1:
            self._held[network] = held - 1


class TrustedProxies:
    """
    The addresses whose ``X-Forwarded-*`` headers are believed.

    Args:
        networks: Addresses or networks (``10.0.0.0/8``); ``*`` believes everybody.

    Raises:
        ValueError: An entry is neither.
    """

    __slots__ = ("_networks", "_trusts_all", "trusts")

    def __init__(self, networks: Iterable[str]) -> None:
        names = [name.strip() for name in networks if name.strip()]
        self._trusts_all = "*" in names
        self._networks = tuple(ip_network(name, strict=False) for name in names if name != "*")
        self.trusts = lru_cache(maxsize=4096)(self._trusts)

    def _trusts(self, host: str) -> bool:
        if self._trusts_all or not host:
            # A Unix domain socket has no address; only this machine can reach it.
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self._networks)

    def client(self, peer: str, forwarded_for: str) -> str:
        """
        Return the client's host: the first from the right that is no trusted proxy.

        Args:
            peer: Host at the other end of the TCP connection; empty on a Unix socket.
            forwarded_for: ``X-Forwarded-For``, empty when absent.
        """
        if not forwarded_for or not self.trusts(peer):
            return peer
        for hop in reversed(forwarded_for.split(",")):
            host = hop.strip()
            if host.startswith("["):
                host = host[1:].partition("]")[0]
            elif host.count(":") == 1:
                host = host.partition(":")[0]
            if not self.trusts(host) or not host:
                return host or peer
        return forwarded_for.partition(",")[0].strip()
