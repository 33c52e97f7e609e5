"""A user who is erased."""

from tocsin.domain.erasure import SETTLE_MS
from tocsin.domain.message import MessageDraft
from tocsin.domain.user_id import UserId

ALICE = UserId("alice-7f3a")


async def erase(jobs, clock, user_id=ALICE):
    """Erase a user to the end of the last look; return the streams of others that were cut."""
    cut = []
    await jobs.request(user_id)
    assert (await jobs.work(user_id, cut.extend)).state == "settling"
    clock.now += SETTLE_MS
    assert await jobs.work(user_id, cut.extend) is None
    return cut


def message(sender, recipient, text="Hello", **fields):
    return MessageDraft(from_user_id=UserId(sender), to_user_id=UserId(recipient), message=text, **fields)


async def create(store, wanted):
    (created,) = await store.create_notifications([wanted])
    return created
