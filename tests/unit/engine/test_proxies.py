"""Whom forwarding headers are believed."""

import pytest

from tocsin.engine.proxies import TrustedProxies, network_of

PROXIES = TrustedProxies(["127.0.0.0/8", "::1", "10.0.0.0/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("203.0.113.5", "", "203.0.113.5"),
        ("203.0.113.5", "198.51.100.1", "203.0.113.5"),
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "1.1.1.1, 198.51.100.1, 10.0.0.7", "198.51.100.1"),
        ("127.0.0.1", "10.0.0.9, 10.0.0.7", "10.0.0.9"),
        ("127.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("::1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1,", "127.0.0.1"),
    ],
)
def test_client(peer, forwarded_for, client):
    """The client is the first hop from the right that is no trusted proxy."""
    assert client == PROXIES.client(peer, forwarded_for)


def test_a_star_trusts_everybody():
    """Behind a network that only proxies can reach, all are believed."""
    assert "198.51.100.1" == TrustedProxies(["*"]).client("203.0.113.5", "198.51.100.1")


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("", ""),
        ("no address" * 10, ("no address" * 10)[:64]),
    ],
)
def test_what_one_customer_has(host, network):
    """An address of IPv4, however it is written, or a /64 of IPv6; what is neither stays, bounded."""
    assert network == network_of(host)


def test_nonsense_is_no_network():
    """A bad entry is a mistake, said at once."""
    with pytest.raises(ValueError, match="does not appear to be"):
        TrustedProxies(["proxy.example"])
