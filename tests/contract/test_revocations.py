"""What every store keeps of revocations."""

import pytest

from tocsin.adapters.sql.revocations import SqlRevocations
from tocsin.domain.revocation import Revocation


@pytest.fixture
def kept(opened):
    return SqlRevocations(opened.store)


def of(kind, name, created_at, expires_at=10_000):
    return Revocation(kind, name, created_at, expires_at)


async def test_they_come_in_order_of_time_from_an_instant_on(kept):
    """Both kinds, of one name too, the oldest first; the instant itself counts."""
    for one in (of("user", "ann", 30), of("token", "ann", 10), of("token", "t-1", 20)):
        await kept.save(one)

    assert [of("token", "ann", 10), of("token", "t-1", 20), of("user", "ann", 30)] == await kept.since(0, 0)
    assert [of("token", "t-1", 20), of("user", "ann", 30)] == await kept.since(20, 0)
    assert [] == await kept.since(31, 0)


async def test_a_user_is_revoked_again(kept):
    """The later instant counts, and the later expiry."""
    await kept.save(of("user", "ann", 10, 9_000))
    await kept.save(of("user", "ann", 20, 5_000))

    assert [of("user", "ann", 20, 9_000)] == await kept.since(0, 0)


async def test_a_clock_that_is_behind_takes_nothing_back(kept):
    """Another node, or this one after its clock was set back: what was revoked until then stays so."""
    await kept.save(of("user", "ann", 20, 5_000))
    await kept.save(of("user", "ann", 10, 9_000))

    assert [of("user", "ann", 20, 9_000)] == await kept.since(0, 0)


async def test_what_has_expired_is_not_told_and_goes(kept, opened, clock):
    """At its expiry one is gone, for readers at once and from the table with the next upkeep."""
    await kept.save(of("token", "gone", 10, clock.now))
    await kept.save(of("token", "kept", 10, clock.now + 1))

    assert [of("token", "kept", 10, clock.now + 1)] == await kept.since(0, clock.now)
    assert 1 == (await opened.store.prune(clock.now))["revocation"]
    assert [of("token", "kept", 10, clock.now + 1)] == await kept.since(0, 0)


async def test_they_survive_a_restart(open_store):
    """What was saved is read by the next life."""
    first = await open_store()
    await SqlRevocations(first.store).save(of("token", "비밀", 10))
    await first.store.stop()
    second = await open_store()

    assert [of("token", "비밀", 10)] == await SqlRevocations(second.store).since(0, 0)
