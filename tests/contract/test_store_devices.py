"""What every store guarantees of devices and topics."""

import asyncio

import pytest

from tests.contract.conftest import NOON, everything
from tocsin.application.once import Once
from tocsin.domain.device import MAX_TOPICS, DeviceDraft
from tocsin.domain.errors import Conflict, KeyReused, NotFound

MOST = 20
ONCE = Once("alice", "key-1", b"fingerprint")


def phone(user_id="alice", token="token of a phone", **fields):
    return DeviceDraft(user_id=user_id, token=token, platform="android", **fields)


async def tokens(store, user_id="alice"):
    return [device.token for device in await store.list_devices(user_id)]


async def test_a_device_is_registered(opened):
    """It is listed as it was returned, and no stream tells of it."""
    device = await opened.store.register_device(phone(device_name="민아의 폰 📱"), MOST)

    assert [device] == await opened.store.list_devices("alice")
    assert ("alice", "token of a phone", "android", "token", "민아의 폰 📱", NOON, NOON) == (
        device.user_id,
        device.token,
        device.platform,
        device.kind,
        device.device_name,
        device.created_at,
        device.last_seen_at,
    )
    assert [] == opened.take()


async def test_registering_again_says_that_it_is_still_there(store, clock):
    """The same device, seen now, with the platform and the name given."""
    first = await store.register_device(phone(device_name="old"), MOST)
    clock.forward(hours=1)
    again = await store.register_device(
        DeviceDraft(user_id="alice", token=first.token, platform="ios", device_name="new"), MOST
    )

    assert [again] == await store.list_devices("alice")
    assert (first.id, first.created_at) == (again.id, again.created_at)
    assert ("ios", "new", clock.now) == (again.platform, again.device_name, again.last_seen_at)


async def test_no_name_leaves_the_name(store):
    """An app that gives none takes none away."""
    await store.register_device(phone(device_name="mine"), MOST)

    assert "mine" == (await store.register_device(phone(), MOST)).device_name


async def test_a_token_goes_to_the_user_who_registered_it_last(store, clock):
    """As a new device: neither id nor name nor age of the former user's goes with it."""
    hers = await store.register_device(phone(device_name="Alice's phone"), MOST)
    clock.forward(hours=1)
    his = await store.register_device(phone("bob"), MOST)

    assert [] == await store.list_devices("alice")
    assert [his] == await store.list_devices("bob")
    assert hers.id != his.id
    assert (None, clock.now) == (his.device_name, his.created_at)


async def test_a_token_of_another_kind_is_another_device(store):
    """A registration token and an installation id are two addresses."""
    await store.register_device(phone("alice"), MOST)
    await store.register_device(phone("bob", kind="fid"), MOST)

    assert ["token"] == [device.kind for device in await store.list_devices("alice")]
    assert ["fid"] == [device.kind for device in await store.list_devices("bob")]


async def test_the_device_seen_last_stands_first(store, clock):
    """The order is that of use, not of registration."""
    for token in ("a", "b", "c", "a"):
        clock.forward(hours=1)
        await store.register_device(phone(token=token), MOST)

    assert ["a", "c", "b"] == await tokens(store)


async def test_a_new_device_beyond_the_limit_replaces_the_one_not_seen_for_longest(store, clock):
    """Being seen again keeps a device; other users' devices do not count."""
    await store.register_device(phone("bob", token="his"), 3)
    for token in ("a", "b", "c", "a", "d"):
        clock.forward(hours=1)
        await store.register_device(phone(token=token), 3)

    assert ["d", "a", "c"] == await tokens(store)
    assert ["his"] == await tokens(store, "bob")


async def test_the_new_device_stays_though_the_clock_was_set_back(store, clock):
    """What has just been registered is never what goes."""
    await store.register_device(phone(token="old"), 1)
    clock.forward(hours=-1)
    await store.register_device(phone(token="new"), 1)

    assert ["new"] == await tokens(store)


async def test_many_at_once_are_within_the_limit(store):
    """Registrations at the same moment leave as many as are allowed, and one a token."""
    await asyncio.gather(*[store.register_device(phone(token=f"t{n % 10}"), 5) for n in range(40)])

    assert 5 == len(set(await tokens(store)))


async def test_a_device_is_unregistered(store):
    """That one, and no other."""
    await store.register_device(phone(token="a"), MOST)
    await store.register_device(phone(token="b"), MOST)
    await store.unregister_device("alice", "a", "token")

    assert ["b"] == await tokens(store)


@pytest.mark.parametrize(
    ("user_id", "token", "kind"),
    [("bob", "a", "token"), ("alice", "b", "token"), ("alice", "a", "fid"), ("alice", "A", "token")],
)
async def test_only_a_device_of_ones_own_is_unregistered(store, user_id, token, kind):
    """Another's and a missing one are refused alike."""
    await store.register_device(phone(token="a"), MOST)

    with pytest.raises(NotFound, match=r"^there is no such device$"):
        await store.unregister_device(user_id, token, kind)
    assert ["a"] == await tokens(store)


async def test_all_devices_of_a_user_are_unregistered(store):
    """Others keep theirs, and topics stay."""
    for user_id, token in (("alice", "a"), ("alice", "b"), ("bob", "c")):
        await store.register_device(phone(user_id, token), MOST)
    await store.subscribe_topic("alice", "news")

    assert 2 == await store.unregister_all_devices("alice")
    assert 0 == await store.unregister_all_devices("alice")
    assert ([], ["c"]) == (await tokens(store), await tokens(store, "bob"))
    assert ["news"] == await store.list_topics("alice")


async def test_topics_are_followed_and_left(store):
    """Each once, listed by name; twice is as once, and others follow their own."""
    for topic in ("weather", "news", "news"):
        await store.subscribe_topic("alice", topic)
    await store.subscribe_topic("bob", "news")
    for topic in ("weather", "weather", "never followed"):
        await store.unsubscribe_topic("alice", topic)

    assert (["news"], ["news"]) == (await store.list_topics("alice"), await store.list_topics("bob"))
    await store.subscribe_topic("alice", "a-first")
    assert ["a-first", "news"] == await store.list_topics("alice")


async def test_a_device_that_is_gone_is_dropped_once(store):
    """Its provider said so; the others stay."""
    device = await store.register_device(phone(), MOST)
    await store.register_device(phone(token="another"), MOST)

    assert [True, False] == [await store.drop_device(device), await store.drop_device(device)]
    assert ["another"] == await tokens(store)


async def test_a_device_that_was_registered_again_is_not_dropped(store, clock):
    """By its user or by another: what the provider said was said of what is no more."""
    device = await store.register_device(phone(), MOST)
    clock.forward(hours=1)
    again = await store.register_device(phone(), MOST)
    assert await store.drop_device(device) is False

    await store.register_device(phone("bob"), MOST)
    assert await store.drop_device(again) is False
    assert ["token of a phone"] == await tokens(store, "bob")


async def test_topics_of_a_user_have_a_limit(store):
    """One more is refused; one that is followed already is not."""
    await asyncio.gather(*[store.subscribe_topic("alice", f"t{n}") for n in range(MAX_TOPICS)])

    with pytest.raises(Conflict):
        await store.subscribe_topic("alice", "one more")
    await store.subscribe_topic("alice", "t0")
    await store.unsubscribe_topic("alice", "t0")
    await store.subscribe_topic("alice", "one more")


WRITES = {
    "register": lambda store, once: store.register_device(phone(), MOST, once),
    "unregister": lambda store, once: store.unregister_device("alice", "target", "token", once),
    "unregister all": lambda store, once: store.unregister_all_devices("alice", once),
    "subscribe": lambda store, once: store.subscribe_topic("alice", "news", once),
    "unsubscribe": lambda store, once: store.unsubscribe_topic("alice", "target", once),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
async def test_a_repeat_gives_the_first_result_and_changes_nothing(store, write, clock):
    """Whatever has happened since; with other content the key is refused."""
    await store.register_device(phone(token="target"), MOST)
    await store.subscribe_topic("alice", "target")
    first = await write(store, ONCE)
    clock.forward(hours=1)
    await store.unregister_all_devices("alice")
    await store.register_device(phone(token="later"), MOST)
    await store.subscribe_topic("alice", "later")

    assert first == await write(store, ONCE)
    assert ["later"] == await tokens(store)
    with pytest.raises(KeyReused):
        await write(store, Once(ONCE.owner, ONCE.key, b"other"))


async def test_no_token_outlives_its_device(open_store, tmp_path):
    """Neither the table nor the memory of a key holds what was unregistered."""
    opened = await open_store()
    await opened.store.register_device(phone(token="very-secret-token"), MOST, ONCE)
    await opened.store.unregister_device("alice", "very-secret-token", "token")

    stored = await everything(opened.store)
    assert "very-secret-token" not in stored
