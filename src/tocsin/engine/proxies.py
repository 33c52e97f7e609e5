"""
Who the client is when a reverse proxy stands before the server.

Forwarding headers are believed only from addresses that were named as proxies;
everybody else could write anything into them.
"""

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
