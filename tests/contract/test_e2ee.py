"""What every store guarantees of public keys, of their claims and of what waits for devices."""

import asyncio

import pytest

from tests.contract.conftest import NOON
from tocsin.adapters.sql.e2ee import SqlE2ee
from tocsin.application.once import Once
from tocsin.domain.e2ee import KEPT_MS, MAX_DEVICES, MAX_WAITING, DeviceAddress, KeyCounts, KeyUpload, Sealed
from tocsin.domain.errors import Conflict, KeyReused, NotFound

PHONE = DeviceAddress("alice", "PHONE")


def keys_of(device_id, secret="identity"):
    return {"device_id": device_id, "keys": {f"ed25519:{device_id}": secret}, "signatures": {}}


def one_time(*numbers):
    return {f"signed_curve25519:{number:04}": {"key": f"key {number}"} for number in numbers}


def upload(device_id="PHONE", user_id="alice", one_time_keys=None, fallback_keys=None, **fields):
    return KeyUpload(
        user_id=user_id,
        device_id=device_id,
        one_time_keys=one_time_keys or {},
        fallback_keys=fallback_keys or {},
        **{"device_keys": keys_of(device_id), **fields},
    )


def sealed(number, device_id="PHONE"):
    return Sealed(DeviceAddress("alice", device_id), {"n": number})


@pytest.fixture
def kept(store):
    return SqlE2ee(store)


async def claimed(kept, address=PHONE):
    return [one.key_id for one in await kept.claim([address])]


async def test_a_device_is_listed_as_it_was_uploaded(kept, opened):
    """Its keys come back as they were signed, and no stream tells of it."""
    counts = await kept.upload(upload(device_name="Firefox", one_time_keys=one_time(1, 2)))

    [[device], others] = await kept.devices(["alice", "bob"])
    assert KeyCounts(2, has_unused_fallback_key=False, is_new=True) == counts
    assert ("alice", "PHONE", "Firefox", keys_of("PHONE"), NOON) == (
        device.user_id,
        device.device_id,
        device.device_name,
        device.keys,
        device.created_at,
    )
    assert [] == others
    assert [] == opened.take()


async def test_a_device_keeps_its_keys(kept):
    """The same again is no news, other keys under its id are refused and change nothing."""
    await kept.upload(upload())

    assert not (await kept.upload(upload())).is_new
    with pytest.raises(Conflict):
        await kept.upload(upload(device_keys=keys_of("PHONE", "another"), one_time_keys=one_time(1)))
    [[device]] = await kept.devices(["alice"])
    assert keys_of("PHONE") == device.keys
    assert 0 == (await kept.counts(PHONE)).one_time_keys


async def test_the_same_id_of_another_user_is_another_device(kept):
    """Ids are each user's own."""
    await kept.upload(upload(one_time_keys=one_time(1)))
    await kept.upload(upload(user_id="bob", device_keys=keys_of("PHONE", "bob's")))

    assert [] == await kept.claim([DeviceAddress("bob", "PHONE")])
    await kept.remove(DeviceAddress("bob", "PHONE"))
    assert 1 == (await kept.counts(PHONE)).one_time_keys


async def test_keys_of_an_unknown_device_are_refused(kept):
    """Whoever claims them could not check them."""
    with pytest.raises(NotFound):
        await kept.upload(upload(device_keys=None, one_time_keys=one_time(1)))


async def test_a_user_has_so_many_devices(kept):
    """One more is refused until one is removed: none goes by itself, with messages on their way to it."""
    for number in range(MAX_DEVICES):
        await kept.upload(upload(f"D{number}"))

    with pytest.raises(Conflict):
        await kept.upload(upload("LAST"))
    await kept.upload(upload("D0"))
    await kept.remove(DeviceAddress("alice", "D0"))
    await kept.upload(upload("LAST"))


async def test_one_time_keys_are_claimed_in_the_order_of_their_upload(kept, clock):
    """The oldest goes first, each once; then there is none."""
    await kept.upload(upload(one_time_keys=one_time(5, 6)))
    clock.forward(hours=1)
    await kept.upload(upload(device_keys=None, one_time_keys=one_time(1)))

    assert [*one_time(5)] == await claimed(kept)
    assert [*one_time(6)] == await claimed(kept)
    assert [*one_time(1)] == await claimed(kept)
    assert [] == await claimed(kept)


async def test_a_fallback_key_stands_in(kept):
    """It is handed out when no one-time key is left, again and again, and its device learns that it was."""
    fallback = {"signed_curve25519:F1": {"key": "fallback", "fallback": True}}
    await kept.upload(upload(one_time_keys=one_time(1), fallback_keys=fallback))

    assert (await kept.counts(PHONE)).has_unused_fallback_key
    assert [*one_time(1)] == await claimed(kept)
    assert (await kept.counts(PHONE)).has_unused_fallback_key
    [first] = await kept.claim([PHONE])
    [second] = await kept.claim([PHONE])
    assert first == second
    assert first.is_fallback
    assert KeyCounts(0, has_unused_fallback_key=False) == await kept.counts(PHONE)


async def test_a_repeated_upload_does_not_renew_a_fallback_key(kept):
    """What was used stays used; the next one is another key."""
    first, second = ({f"signed_curve25519:F{number}": {"key": f"fallback {number}"}} for number in (1, 2))
    await kept.upload(upload(fallback_keys=first))
    await claimed(kept)

    assert not (await kept.upload(upload(fallback_keys=first))).has_unused_fallback_key
    assert (await kept.upload(upload(fallback_keys=second))).has_unused_fallback_key
    assert [*second] == await claimed(kept)


async def test_a_claimed_key_that_is_uploaded_again_is_not_handed_out_again(kept):
    """A device repeats an upload whose answer it has not seen; meanwhile the key may have gone."""
    await kept.upload(upload(one_time_keys=one_time(1, 2)))
    await claimed(kept)

    assert 1 == (await kept.upload(upload(one_time_keys=one_time(1, 2)))).one_time_keys
    assert [*one_time(2)] == await claimed(kept)
    assert [] == await claimed(kept)


async def test_a_key_id_means_one_key(kept):
    """Another key under an id that is known, claimed or not, is refused."""
    await kept.upload(upload(one_time_keys=one_time(1)))
    await claimed(kept)

    with pytest.raises(Conflict):
        await kept.upload(upload(one_time_keys={**one_time(2), "signed_curve25519:0001": {"key": "other"}}))
    assert 0 == (await kept.counts(PHONE)).one_time_keys


async def test_a_device_holds_so_many_keys(kept):
    """More are refused, all of them."""
    await kept.upload(upload(one_time_keys=one_time(*range(150))))

    with pytest.raises(Conflict):
        await kept.upload(upload(one_time_keys=one_time(*range(150, 250))))
    assert 150 == (await kept.counts(PHONE)).one_time_keys


async def test_a_hundred_claims_at_once_get_a_hundred_keys(open_store):
    """No key goes out twice, also when two processes hand out."""
    first, second = SqlE2ee((await open_store()).store), SqlE2ee((await open_store()).store)
    await first.upload(upload(one_time_keys=one_time(*range(90))))

    answers = await asyncio.gather(*((first, second)[number % 2].claim([PHONE]) for number in range(100)))

    handed_out = [one.key_id for answer in answers for one in answer]
    assert 90 == len(handed_out) == len(set(handed_out))


async def test_devices_without_keys_are_left_out_of_a_claim(kept):
    """Those that have some get one each."""
    await kept.upload(upload(one_time_keys=one_time(1)))
    await kept.upload(upload("EMPTY"))
    wanted = [DeviceAddress("alice", "EMPTY"), PHONE, DeviceAddress("nobody", "X")]

    assert [PHONE] == [one.address for one in await kept.claim(wanted)]


async def test_what_is_sealed_waits_for_its_device(kept):
    """In order, until it is taken; what is for no device is dropped."""
    await kept.upload(upload())

    assert 2 == await kept.put("bob", "m.sealed", [sealed(1), sealed(0, "NONE"), sealed(2)], None)
    first, second = await kept.inbox(PHONE, "", 10)
    assert ("bob", "m.sealed", {"n": 1}) == (first.from_user_id, first.type, first.content)
    assert [second] == await kept.inbox(PHONE, first.id, 10)
    assert [first] == await kept.inbox(PHONE, "", 1)
    assert 1 == await kept.acknowledge(PHONE, first.id)
    assert [second] == await kept.inbox(PHONE, "", 10)


@pytest.mark.usefixtures("falling_ids")
async def test_no_clock_lets_something_be_dropped_that_nobody_has_read(kept):
    """What comes after an inbox was read stands behind it, though its node's clock lags, and the ack leaves it."""
    await kept.upload(upload())
    await kept.put("bob", "m.sealed", [sealed(1), sealed(2)], None)
    read = await kept.inbox(PHONE, "", 10)
    await kept.put("bob", "m.sealed", [sealed(3)], None)

    assert 2 == await kept.acknowledge(PHONE, read[-1].id)
    assert [{"n": 1}, {"n": 2}] == [one.content for one in read]
    assert [{"n": 3}] == [one.content for one in await kept.inbox(PHONE, read[-1].id, 10)]
    await kept.acknowledge(PHONE, "~")
    await kept.put("bob", "m.sealed", [sealed(4)], None)
    # The same once more, of a device whose answer was lost.
    assert 0 == await kept.acknowledge(PHONE, read[-1].id)
    assert [{"n": 4}] == [one.content for one in await kept.inbox(PHONE, read[-1].id, 10)]


async def test_an_inbox_is_read_by_its_own_device_alone(kept):
    """Another device of the user, or none, reads and drops nothing of it."""
    await kept.upload(upload())
    await kept.upload(upload("LAPTOP"))
    await kept.put("bob", "m.sealed", [sealed(1)], None)
    laptop = DeviceAddress("alice", "LAPTOP")

    assert [] == await kept.inbox(laptop, "", 10)
    assert 0 == await kept.acknowledge(laptop, "~")
    with pytest.raises(NotFound):
        await kept.inbox(DeviceAddress("bob", "PHONE"), "", 10)
    assert 1 == len(await kept.inbox(PHONE, "", 10))


async def test_a_repeated_send_happens_once(kept):
    """The same key gives the first answer; with other content it is refused."""
    await kept.upload(upload())
    once = Once("bob", "txn", b"one")

    assert 1 == await kept.put("bob", "m.sealed", [sealed(1)], once)
    assert 1 == await kept.put("bob", "m.sealed", [sealed(1)], once)
    with pytest.raises(KeyReused):
        await kept.put("bob", "m.sealed", [sealed(2)], Once("bob", "txn", b"two"))
    assert 1 == len(await kept.inbox(PHONE, "", 10))


async def test_nobody_pushes_out_what_others_have_sent(kept):
    """Of one sender the latest thousand wait; of others nothing is touched."""
    await kept.upload(upload())
    await kept.put("bob", "m.sealed", [sealed(-1)], None)

    for start in range(0, MAX_WAITING + 100, 100):
        await kept.put("mallory", "m.sealed", [sealed(start + each) for each in range(100)], None)

    first, second, *_ = waiting = await kept.inbox(PHONE, "", 5_000)
    assert 1 + MAX_WAITING == len(waiting)
    assert ("bob", {"n": 100}) == (first.from_user_id, second.content)


async def test_what_waits_too_long_goes(kept, clock):
    """With the next that comes for its device."""
    await kept.upload(upload())
    await kept.put("bob", "m.sealed", [sealed(1)], None)
    clock.now += KEPT_MS + 1

    await kept.put("bob", "m.sealed", [sealed(2)], None)

    assert [{"n": 2}] == [one.content for one in await kept.inbox(PHONE, "", 10)]


async def test_what_waits_too_long_goes_though_nothing_comes_after_it(kept, store, clock):
    """The upkeep drops it from the inbox of a device that never comes back, and nothing that is younger."""
    for device_id in ("PHONE", "DRAWER"):
        await kept.upload(upload(device_id))
    await kept.put("bob", "m.sealed", [sealed(number, "DRAWER") for number in range(3)], None)
    clock.now += 1
    await kept.put("bob", "m.sealed", [sealed(3, "DRAWER"), sealed(4)], None)
    clock.now += KEPT_MS

    assert 3 == (await store.prune(clock.now))["e2ee_to_device"]
    assert [{"n": 3}] == [one.content for one in await kept.inbox(DeviceAddress("alice", "DRAWER"), "", 10)]
    assert 0 == (await store.prune(clock.now))["e2ee_to_device"]
    assert 2 == (await store.prune(clock.now + 1))["e2ee_to_device"]


async def test_a_removed_device_leaves_nothing(kept):
    """Its keys, its inbox and its name are gone; a second time there is nothing to remove."""
    await kept.upload(upload(one_time_keys=one_time(1)))
    await kept.put("bob", "m.sealed", [sealed(1)], None)

    await kept.remove(PHONE)

    assert [[]] == await kept.devices(["alice"])
    assert [] == await kept.claim([PHONE])
    with pytest.raises(NotFound):
        await kept.remove(PHONE)
    await kept.upload(upload(device_keys=keys_of("PHONE", "another")))
    assert [] == await kept.inbox(PHONE, "", 10)
