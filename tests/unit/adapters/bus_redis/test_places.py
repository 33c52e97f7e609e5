"""Which URLs name servers, and that no password is told."""

import pytest

from tocsin.adapters.bus_redis.places import ClusterMasters, OneServer, Place, SentinelMaster, open_places


@pytest.mark.parametrize(
    ("url", "kind", "first"),
    [
        ("redis://localhost", OneServer, ("localhost", 6379)),
        ("redis://:pass%2Fword@localhost:6379/0", OneServer, ("localhost", 6379)),
        ("rediss://user:password@localhost:6380/1", OneServer, ("localhost", 6380)),
        ("valkey://localhost:6379", OneServer, ("localhost", 6379)),
        ("valkeys://localhost:6379", OneServer, ("localhost", 6379)),
        ("unix:///run/redis.sock", OneServer, ("/run/redis.sock", 0)),
        (
            "redis://localhost?socket_timeout=1&decode_responses=yes&protocol=3&health_check_interval=1",
            OneServer,
            ("localhost", 6379),
        ),
        ("redis+cluster://one,two:7001", ClusterMasters, ("one", 6379)),
        ("valkeys+cluster://user:pass%2Cword@one:7000,two/", ClusterMasters, ("one", 7000)),
        ("redis+cluster://[::1]:7000,[::1]:7001", ClusterMasters, ("::1", 7000)),
        ("redis+sentinel://one,two:26380/mymaster", SentinelMaster, ("one", 6379)),
        ("rediss+sentinel://u:p@one:26379/mymaster/0?sentinel_username=s&sentinel_password=q", SentinelMaster, None),
    ],
)
def test_a_url_names_servers(url, kind, first):
    """What would break a subscription is ours to set, whatever the URL says."""
    places = open_places(url)
    connection = places.connecting.to(places.connecting.first)

    assert isinstance(places, kind)
    assert first is None or first == places.connecting.first
    assert connection.socket_timeout is None
    assert 0 == connection.health_check_interval
    assert 2 == connection.protocol
    assert not connection.encoder.decode_responses


def test_a_cluster_url_names_all_seeds():
    """Any of them may be the one that lives."""
    places = open_places("redis+cluster://one,two:7001,[::1]:7002")

    assert [Place("one", 6379), Place("two", 7001), Place("::1", 7002)] == places._seeds


def test_the_sentinels_of_a_url_have_a_password_of_their_own():
    """The master's is not told to them, nor theirs to the master; neither to a log."""
    places = open_places("redis+sentinel://u:p@one,two:26380/mymaster/0?sentinel_password=q")
    asked = [client.connection_pool.connection_kwargs for client in places._sentinels.sentinels]

    assert [("one", 26379, "q"), ("two", 26380, "q")] == [(one["host"], one["port"], one["password"]) for one in asked]
    assert "p" == places.connecting.options["password"]
    assert {"p", "q"} == places.connecting.secrets


@pytest.mark.parametrize(
    "url",
    [
        "redis://:geheim/wort@localhost:6379",
        "redis://geheim@localhost:geheim",
        "redis://localhost?geheim=1",
        "redis+cluster://:geheim@one,two:geheim",
        "redis+cluster://:geheim@one,two/1",
        "redis+cluster://:geheim@one,,two",
        "redis+sentinel://:geheim@one,two",
        "redis+sentinel://:geheim@one,two/mymaster/geheim",
        "redis+sentinel://:geheim@one,two/mymaster/0/1",
        "redis+geheim://one",
    ],
)
def test_a_url_that_cannot_be_read_is_not_quoted(url):
    """The message says what one looks like; the password stands nowhere."""
    with pytest.raises(ValueError, match="percent-encoded") as refused:
        open_places(url)

    assert "geheim" not in str(refused.value)
    assert refused.value.__suppress_context__
