"""Which tokens count no more, as one node knows it."""

import asyncio

import pytest

from tests.acceptance.wire_socket import eventually as until
from tocsin.adapters.bus_local import LocalBus
from tocsin.application import revocations as module
from tocsin.application.revocations import NAMESPACE, Revocations
from tocsin.domain.errors import Invalid, Overloaded, Unauthenticated
from tocsin.domain.principal import Principal
from tocsin.domain.revocation import KEPT_MS, Revocation
from tocsin.domain.user_id import UserId

NOW = 1_800_000_000_500
ANN = UserId("ann")


class Kept:
    """A table in memory that two nodes share."""

    def __init__(self):
        self.rows = {}
        self.refusal = None

    async def save(self, revocation):
        self.rows[revocation.kind, revocation.name] = revocation

    async def since(self, created_at, now):
        if self.refusal is not None:
            raise self.refusal
        found = [one for one in self.rows.values() if one.created_at >= created_at and one.expires_at > now]
        return sorted(found, key=lambda one: one.created_at)


class Tokens:
    """A token is its principal."""

    def verify(self, token):
        return token


@pytest.fixture
def kept():
    return Kept()


@pytest.fixture
async def nodes(kept, monkeypatch):
    monkeypatch.setattr(module, "SWEEP_S", 0.02)
    monkeypatch.setattr(module, "LEAST_BETWEEN_S", 0.0)
    nodes = [Revocations(Tokens(), kept, LocalBus(), clock=lambda: NOW) for _ in range(2)]
    for node in nodes:
        node.told = []
        node.on_revoked = node.told.extend
        await node.start()
    yield nodes
    for node in nodes:
        await node.stop()


def token(user=ANN, iat=NOW / 1_000 - 1, jti=None):
    return Principal(user, frozenset(), NOW / 1_000 + 60, jti, iat)


@pytest.mark.parametrize("iat", [0, NOW // 1_000 - 1, NOW // 1_000, NOW / 1_000, None])
async def test_a_users_tokens_of_until_now_are_refused(nodes, iat):
    """Those of this second too, and those that don't say when they were made."""
    assert ANN == nodes[0].verify(token(iat=iat)).user_id
    await nodes[0].revoke_user(ANN)

    with pytest.raises(Unauthenticated, match="revoked"):
        nodes[0].verify(token(iat=iat))


async def test_a_users_next_token_counts(nodes):
    """From `valid_from` on; and other users' always did."""
    revoked = await nodes[0].revoke_user(ANN)

    assert nodes[0].verify(token(iat=revoked.valid_from))
    assert nodes[0].verify(token(UserId("bob"), iat=0))
    assert revoked == Revocation("user", "ann", NOW, NOW + KEPT_MS)


async def test_one_token_is_refused_by_its_id(nodes):
    """Others of its user, and those without an id, go on."""
    await nodes[0].revoke_token("t-1")

    with pytest.raises(Unauthenticated, match="revoked"):
        nodes[0].verify(token(jti="t-1"))
    assert nodes[0].verify(token(jti="t-2"))
    assert nodes[0].verify(token())


@pytest.mark.parametrize("jti", ["", "x" * 513, "a\0b"])
async def test_an_id_that_nobody_can_keep_is_refused(nodes, kept, jti):
    """Nothing is stored then."""
    with pytest.raises(Invalid, match="jti"):
        await nodes[0].revoke_token(jti)

    assert {} == kept.rows


async def test_another_node_finds_it_and_tells_once(nodes, kept):
    """Without a word on the bus, after looks that failed, and no second time."""
    kept.refusal = Overloaded("the database is away")
    await nodes[0].revoke_token("t-1")
    await asyncio.sleep(0.1)
    assert nodes[1].verify(token(jti="t-1"))
    kept.refusal = None

    await until(lambda: nodes[1].told)
    await asyncio.sleep(0.1)
    assert nodes[1].is_revoked(token(jti="t-1"))
    assert ["t-1"] == [one.name for one in nodes[1].told] == [one.name for one in nodes[0].told]


async def test_a_word_on_the_bus_hastens(nodes, kept, monkeypatch):
    """The sweep alone would come too late; a foreign word is left to others."""
    monkeypatch.setattr(module, "SWEEP_S", 3_600.0)
    await asyncio.sleep(0.1)
    kept.rows["token", "t-1"] = Revocation("token", "t-1", NOW, NOW + 1)
    assert nodes[1].on_ephemeral(NAMESPACE)
    assert not nodes[1].on_ephemeral("/chat")

    await until(lambda: nodes[1].told)


async def test_a_late_commit_of_another_clock_is_found(nodes, kept):
    """One stamped up to a minute before what is known already."""
    await nodes[1].revoke_token("newest")
    kept.rows["token", "late"] = Revocation("token", "late", NOW - 59_000, NOW + 1_000)

    await until(lambda: nodes[1].is_revoked(token(jti="late")))


async def test_a_stamp_that_lies_ahead_hides_none_that_follow(nodes, kept):
    """One node's clock is ten minutes fast, or was set back: what others revoke from then on is found as soon."""
    kept.rows["token", "fast"] = Revocation("token", "fast", NOW + 600_000, NOW + 900_000)
    await until(lambda: nodes[1].is_revoked(token(jti="fast")))
    kept.rows["token", "later"] = Revocation("token", "later", NOW, NOW + 1_000)

    await until(lambda: nodes[1].is_revoked(token(jti="later")))


async def test_one_that_is_over_is_refused(nodes, kept):
    """Nobody else would hear of it: an answer that says revoked would be untrue."""
    with pytest.raises(Invalid, match="expires_at is over"):
        await nodes[0].revoke_user(ANN, NOW)
    with pytest.raises(Invalid, match="expires_at is over"):
        await nodes[0].revoke_token("one", NOW - 1)

    assert not kept.rows


async def test_what_has_expired_is_forgotten(kept, monkeypatch):
    """No such token can be alive; memory goes with the upkeep."""
    moment = NOW
    monkeypatch.setattr(module, "SWEEP_S", 0.02)
    monkeypatch.setattr(module, "LEAST_BETWEEN_S", 0.0)
    monkeypatch.setattr(module, "RELOAD_S", 0.0)
    node = Revocations(Tokens(), kept, LocalBus(), clock=lambda: moment)
    await node.start()
    await node.revoke_user(ANN, NOW + 1_000)
    assert node.is_revoked(token())
    moment += 1_000

    await until(lambda: not node.is_revoked(token()))
    assert not node._has_any
    await node.stop()
