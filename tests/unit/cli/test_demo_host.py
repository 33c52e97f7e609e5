"""The demo's plug: who is kept out, and for how long."""

import pytest

from tocsin import Service, Settings
from tocsin.cli.demo_host import JUNHO, MINA, DemoHost, Plug
from tocsin.domain.errors import Overloaded, Unauthenticated
from tocsin.domain.principal import Principal
from tocsin.domain.user_id import UserId


class FakeClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class TokensAreUserIds:
    """A verifier whose tokens are the ids of their bearers."""

    def verify(self, token: object) -> Principal:
        if not token:
            raise Unauthenticated("a token is required")
        return Principal(UserId(str(token)), frozenset(), 1e12)


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def plug(clock):
    return Plug(TokensAreUserIds(), clock)


def test_users_come_in_while_their_plug_is_in(plug):
    """The principal is the inner verifier's."""
    assert MINA == plug.verify(MINA).user_id


def test_a_pulled_plug_keeps_its_user_out_and_tells_for_how_long(plug, clock):
    """The refusal is one that clients wait for."""
    plug.pull(MINA, 10.0)
    clock.now += 4.0

    with pytest.raises(Overloaded) as refusal:
        plug.verify(MINA)

    assert refusal.value.retryable
    assert 6.0 == refusal.value.retry_after_s


def test_a_pulled_plug_is_nobody_elses(plug):
    """The other user comes in."""
    plug.pull(MINA, 10.0)

    assert JUNHO == plug.verify(JUNHO).user_id


def test_the_plug_is_in_again_when_its_time_is_over(plug, clock):
    """The last moment counts."""
    plug.pull(MINA, 10.0)
    clock.now += 10.0

    assert MINA == plug.verify(MINA).user_id


def test_a_wrong_token_is_refused_as_such(plug):
    """A pulled plug hides nothing about tokens."""
    plug.pull(MINA, 10.0)

    with pytest.raises(Unauthenticated):
        plug.verify("")


async def test_an_event_of_no_post_keeps_nothing_unfinished(tmp_path, plug):
    """What a visitor has published by hand does not stop a restarted demo from finishing its posts."""
    service = Service(
        Settings(_env_file=None, database_url=f"sqlite:///{tmp_path / 'demo.db'}", jwt_secret="s" * 32), plug
    )
    await service.start()
    try:
        for data in ({"platforms": ["x"]}, {"post_id": "p1", "platforms": ["x"]}):
            await service.activity.publish("/sns", "publish_started", [MINA], data)
        host = DemoHost(service, plug)
        await host.finish()

        assert 1 == len(host._tasks)
    finally:
        await service.stop()
