"""A connection is one user's, one of a bounded number, and ends with its latest token."""

import gc
import weakref
from types import SimpleNamespace

import pytest

from tocsin.domain.errors import Forbidden, RateLimited, Unauthenticated
from tocsin.domain.principal import Principal
from tocsin.domain.user_id import UserId
from tocsin.realtime import authenticate
from tocsin.realtime.authenticate import Authenticator

NOW = 1_800_000_000.0


class Clocks:
    """A wall clock and a monotonic one, set apart by hand."""

    def __init__(self):
        self.wall = NOW
        self.steady = 50.0

    def time(self):
        return self.wall

    def monotonic(self):
        return self.steady

    def pass_by(self, seconds):
        self.wall += seconds
        self.steady += seconds


class Tokens:
    """Verifies ``user@seconds``: a user and how long the token lasts from NOW on."""

    def verify(self, token):
        if not isinstance(token, str) or "@" not in token:
            raise Unauthenticated("the token is malformed")
        user, _, seconds = token.partition("@")
        return Principal(UserId(user), frozenset(), NOW + float(seconds))


class Wheel:
    """Holds the delay of each entry; the test says when it is due."""

    def __init__(self):
        self.delays = {}

    def schedule(self, entry, delay_s):
        self.delays[entry] = delay_s

    def cancel(self, entry):
        self.delays.pop(entry, None)


class Connection:
    def __init__(self):
        self.data = None
        self.told = []
        self.closed_for = None
        self.closed = False
        self.is_unattended = False
        self.sockets = {"/chat": SimpleNamespace(emit=lambda event, payload: self.told.append((event, payload)))}

    def close(self, reason):
        self.closed_for = reason


@pytest.fixture
def clocks(monkeypatch):
    clocks = Clocks()
    monkeypatch.setattr(authenticate, "time", clocks)
    return clocks


@pytest.fixture
def wheel():
    return Wheel()


@pytest.fixture
def authenticator(clocks, wheel):
    return Authenticator(Tokens(), wheel, user_connections=2)


def test_the_first_connect_makes_the_connection_the_users(authenticator):
    """The user is the token's; nothing else is asked."""
    connection = Connection()

    assert "ann" == authenticator.authenticate(connection, "ann@100")
    assert "ann" == connection.data.user_id


def test_another_user_on_the_same_connection_is_refused(authenticator):
    """The connection stays the first one's."""
    connection = Connection()
    authenticator.authenticate(connection, "ann@100")

    with pytest.raises(Forbidden):
        authenticator.authenticate(connection, "bob@100")
    with pytest.raises(Forbidden):
        authenticator.reauthenticate(connection, "bob@100")
    assert "ann" == connection.data.user_id
    assert 1 == authenticator.users


def test_a_wrong_token_binds_nothing(authenticator):
    """After a refusal the connection is nobody's."""
    connection = Connection()

    with pytest.raises(Unauthenticated):
        authenticator.authenticate(connection, "nonsense")
    assert connection.data is None
    assert 0 == authenticator.users


def test_connections_of_a_user_are_counted_and_given_back(authenticator, wheel):
    """The bound holds by user; a closed connection makes room and leaves no timer."""
    connections = [Connection() for _ in range(2)]
    for connection in connections:
        authenticator.authenticate(connection, "ann@100")

    with pytest.raises(RateLimited):
        authenticator.authenticate(Connection(), "ann@100")
    authenticator.authenticate(Connection(), "bob@100")
    authenticator.on_connection_closed(connections[0])
    authenticator.authenticate(Connection(), "ann@100")

    assert 2 == authenticator.users
    assert connections[0].data not in wheel.delays


def test_a_connection_that_nobody_is_at_gives_way(authenticator):
    """The earliest of a user that polls and has no poll now; others are never closed for a new one."""
    connections = [Connection() for _ in range(3)]
    for connection in connections:
        connection.close = lambda reason, one=connection: (
            setattr(one, "closed_for", reason),
            authenticator.on_connection_closed(one),
        )
    authenticator.authenticate(connections[0], "ann@100")
    authenticator.authenticate(connections[1], "ann@100")
    connections[1].is_unattended = True

    authenticator.authenticate(connections[2], "ann@100")
    with pytest.raises(RateLimited):
        authenticator.authenticate(Connection(), "ann@100")

    assert [None, "unattended", None] == [connection.closed_for for connection in connections]


def test_a_connection_that_has_ended_is_bound_to_nobody(authenticator, wheel):
    """A request that waited until its client had gone leaves no timer and counts no connection."""
    connection = Connection()
    authenticator.authenticate(connection, "ann@100")
    authenticator.on_connection_closed(connection)
    connection.closed = True

    for ask in (authenticator.authenticate, authenticator.reauthenticate):
        with pytest.raises(Unauthenticated):
            ask(connection, "ann@200")
    assert {} == wheel.delays
    assert 0 == authenticator.users


def test_a_namespace_more_counts_no_connection_more(authenticator):
    """The bound is on connections, not on namespaces."""
    connection = Connection()
    for _ in range(5):
        authenticator.authenticate(connection, "ann@100")

    authenticator.authenticate(Connection(), "ann@100")


def test_a_connection_without_a_user_may_close(authenticator):
    """Who never came to a CONNECT leaves nothing to forget."""
    authenticator.on_connection_closed(Connection())

    assert 0 == authenticator.users


def test_the_end_is_announced_a_minute_before(authenticator, clocks, wheel):
    """First the notice, then the end, which closes the transport."""
    connection = Connection()
    authenticator.authenticate(connection, "ann@100")
    identity = connection.data

    assert 40 == wheel.delays[identity]

    clocks.pass_by(40)
    assert 60 == identity.on_due(0.0)
    assert [("auth_expiring", {"expires_at": "2027-01-15T08:01:40.000Z"})] == connection.told
    assert connection.closed_for is None

    clocks.pass_by(60)
    assert identity.on_due(0.0) is None
    assert "auth_expired" == connection.told[-1][0]
    assert "auth_expired" == connection.closed_for


def test_a_wall_clock_that_is_set_disconnects_nobody(authenticator, clocks):
    """The end was measured at connect; an hour's jump of the clock changes nothing."""
    connection = Connection()
    authenticator.authenticate(connection, "ann@100")
    clocks.wall += 3_600

    assert 100 == connection.data.on_due(0.0)
    assert connection.closed_for is None


def test_a_newer_token_moves_the_end_and_its_notice(authenticator, clocks, wheel):
    """After ``reauth`` the notice comes again, before the new end."""
    connection = Connection()
    authenticator.authenticate(connection, "ann@50")
    connection.data.on_due(0.0)
    authenticator.reauthenticate(connection, "ann@200")

    assert 140 == wheel.delays[connection.data]

    clocks.pass_by(140)
    connection.data.on_due(0.0)
    assert ["auth_expiring", "auth_expiring"] == [event for event, _ in connection.told]


def test_an_older_token_moves_nothing(authenticator, wheel):
    """The latest end counts, in whatever order the tokens come."""
    connection = Connection()
    authenticator.authenticate(connection, "ann@200")
    authenticator.authenticate(connection, "ann@100")

    assert NOW + 200 == connection.data.expires_at
    assert 140 == wheel.delays[connection.data]


def test_reauth_needs_a_user_before(authenticator):
    """A connection that is nobody's is not made somebody's by ``reauth``."""
    with pytest.raises(Unauthenticated):
        authenticator.reauthenticate(Connection(), "ann@100")


def test_an_end_beyond_all_calendars_can_still_be_told(authenticator, clocks):
    """A token of a million years is told as the last instant that has a name."""
    connection = Connection()
    authenticator.authenticate(connection, f"ann@{1e14}")
    connection.data.on_due(0.0)

    assert [("auth_expiring", {"expires_at": "9999-12-31T23:59:59.000Z"})] == connection.told


def test_a_closed_connection_needs_no_garbage_collector(clocks):
    """It is freed at once, the user with it: those of a day must not wait for a collection."""

    class Bare(Connection):
        def __init__(self):
            super().__init__()
            self.sockets = {}

    authenticator = Authenticator(Tokens(), Wheel())
    connection = Bare()
    authenticator.authenticate(connection, "7@60")
    kept = weakref.ref(connection)
    gc.disable()
    try:
        authenticator.on_connection_closed(connection)
        del connection

        assert kept() is None
    finally:
        gc.enable()
