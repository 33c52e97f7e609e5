"""What every store guarantees of Web Push subscriptions and of the keys that are pushed with."""

import asyncio

import pytest

from tests.contract.conftest import NOON, everything
from tocsin.application.once import Once
from tocsin.domain.errors import KeyReused, NotFound
from tocsin.domain.web_push import PushKeys, WebPushDraft

MOST = 20
ONCE = Once("alice", "key-1", b"fingerprint")
ENDPOINT = "https://fcm.googleapis.com/fcm/send/very-secret-endpoint"


def browser(user_id="alice", endpoint=ENDPOINT, p256dh="point", auth="secret", **fields):
    return WebPushDraft(user_id=user_id, endpoint=endpoint, p256dh=p256dh, auth=auth, **fields)


async def endpoints(store, user_id="alice"):
    return [one.endpoint for one in await store.list_web_push(user_id)]


async def test_a_subscription_is_kept(opened):
    """It is listed as it was returned, and no stream tells of it."""
    kept = await opened.store.save_web_push(browser(user_agent="Firefox"), MOST)

    assert [kept] == await opened.store.list_web_push("alice")
    assert ("alice", ENDPOINT, "point", "secret", "Firefox", NOON, NOON) == (
        kept.user_id,
        kept.endpoint,
        kept.p256dh,
        kept.auth,
        kept.user_agent,
        kept.created_at,
        kept.last_seen_at,
    )
    assert [] == opened.take()


async def test_the_same_endpoint_again_is_an_update(store, clock):
    """One row, with the keys given now."""
    first = await store.save_web_push(browser(), MOST)
    clock.forward(hours=1)
    again = await store.save_web_push(browser(p256dh="new point", auth="new secret"), MOST)

    assert [again] == await store.list_web_push("alice")
    assert (first.id, first.created_at, clock.now) == (again.id, again.created_at, again.last_seen_at)
    assert ("new point", "new secret") == (again.p256dh, again.auth)


async def test_an_endpoint_goes_to_the_user_who_subscribed_last(store):
    """As a new row: a receipt of the former user's pushes says nothing of it."""
    hers = await store.save_web_push(browser(), MOST)
    his = await store.save_web_push(browser("bob"), MOST)

    assert ([], [his]) == (await store.list_web_push("alice"), await store.list_web_push("bob"))
    assert hers.id != his.id


async def test_one_beyond_the_limit_replaces_the_one_not_seen_for_longest(store, clock):
    """Being seen keeps one; other users' do not count, and a clock set back drops none that has just come."""
    await store.save_web_push(browser("bob", "his"), 2)
    first = await store.save_web_push(browser(endpoint="a"), 2)
    for endpoint in ("b", "c"):
        clock.forward(hours=1)
        await store.see_web_push(first.id, None, "shown")
        clock.forward(hours=-0.5)
        await store.save_web_push(browser(endpoint=endpoint), 2)

    assert {"a", "c"} == set(await endpoints(store))
    assert ["his"] == await endpoints(store, "bob")


async def test_many_at_once_are_within_the_limit(store):
    """Subscriptions at the same moment leave as many as are allowed, and one an endpoint."""
    await asyncio.gather(*[store.save_web_push(browser(endpoint=f"e{n % 10}"), 5) for n in range(40)])

    assert 5 == len(set(await endpoints(store)))


@pytest.mark.parametrize(("user_id", "endpoint"), [("bob", "a"), ("alice", "b"), ("alice", "A")])
async def test_only_ones_own_is_deleted(store, user_id, endpoint):
    """Another's and a missing one are refused alike."""
    await store.save_web_push(browser(endpoint="a"), MOST)

    with pytest.raises(NotFound, match=r"^there is no such subscription$"):
        await store.delete_web_push(user_id, endpoint)
    await store.delete_web_push("alice", "a")
    assert [] == await endpoints(store)


async def test_what_is_gone_is_dropped_unless_it_has_changed(store):
    """A browser that subscribed again between the push and its answer is not gone."""
    old = await store.save_web_push(browser(), MOST)
    new = await store.save_web_push(browser(p256dh="new point"), MOST)

    assert await store.drop_web_push(old) is False
    assert await store.drop_web_push(new) is True
    assert await store.drop_web_push(new) is False
    assert [] == await endpoints(store)


async def test_a_push_that_arrived_is_noted(store, clock):
    """Forward only; of one that is no more nothing is."""
    kept = await store.save_web_push(browser(), MOST)
    clock.forward(hours=2)
    await store.see_web_push(kept.id, None, "shown")
    clock.forward(hours=-1)
    await store.see_web_push(kept.id, None, "shown")
    await store.see_web_push("missing", None, "shown")

    assert [clock.now + 3_600_000] == [one.last_seen_at for one in await store.list_web_push("alice")]


async def test_the_first_keys_are_the_keys(open_store):
    """Whatever a later process brings along, and when several come at once."""
    stores = [(await open_store()).store for _ in range(3)]
    offered = [PushKeys(f"pem {n}", bytes([n]) * 32) for n in range(3)]
    taken = await asyncio.gather(*[store.push_keys(keys) for store, keys in zip(stores, offered, strict=True)])

    assert 1 == len(set(taken))
    assert taken[0] in offered
    assert taken[0] == await stores[0].push_keys(PushKeys("later", b"later"))


WRITES = {
    "save": lambda store, once: store.save_web_push(browser(), MOST, once),
    "delete": lambda store, once: store.delete_web_push("alice", "target", once),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_repeat_gives_the_first_result_and_changes_nothing(store, write, clock):
    """Whatever has happened since; with other content the key is refused."""
    await store.save_web_push(browser(endpoint="target"), MOST)
    first = await write(store, ONCE)
    for endpoint in await endpoints(store):
        await store.delete_web_push("alice", endpoint)
    clock.forward(hours=1)

    assert first == await write(store, ONCE)
    assert [] == await endpoints(store)
    with pytest.raises(KeyReused):
        await write(store, Once(ONCE.owner, ONCE.key, b"other"))


async def test_no_secret_outlives_its_subscription(open_store):
    """Neither the table nor the memory of a key holds what was deleted."""
    opened = await open_store()
    await opened.store.save_web_push(browser(p256dh="very-secret-point", auth="very-secret-auth"), MOST, ONCE)
    await opened.store.delete_web_push("alice", ENDPOINT)

    stored = await everything(opened.store)
    assert "very-secret" not in stored
