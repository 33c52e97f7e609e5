"""ChatMessage in a host's session: delivered by its commit, and no second time by its broadcast."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from tocsin.adapters.sql.chat_store import SqlChat
from tocsin.adapters.sql.postgres import PostgresStore
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.adapters.sql.store import SqlStore
from tocsin.domain.conversation import PageQuery
from tocsin.domain.errors import Invalid
from tocsin.domain.message import ADOPTED_MS, MessageDraft
from tocsin.domain.timestamp import now_ms
from tocsin.models import ChatMessage


@pytest.fixture
def clock():
    class Clock:
        ahead = 0

        def __call__(self):
            return now_ms() + self.ahead

    return Clock()


@pytest.fixture
async def store(url, clock) -> AsyncIterator[SqlStore]:
    is_file = url.startswith("sqlite:///")
    store = SqliteStore(url.removeprefix("sqlite:///"), clock=clock) if is_file else PostgresStore(url, clock=clock)
    await store.start()
    yield store
    await store.stop()


@pytest.fixture
def chats(store):
    return SqlChat(store)


def save(session, message="Hi", to=9, **more):
    saved = ChatMessage(from_user_id=7, to_user_id=to, message=message, **more)
    session.add(saved)
    session.commit()
    return saved


def broadcast(message="Hi", to="9", client_msg_id=None, adopts_saved=True):
    return MessageDraft(
        from_user_id="7", to_user_id=to, message=message, client_msg_id=client_msg_id, adopts_saved=adopts_saved
    )


def test_adding_one_tells_both_sides(session, log):
    """The recipient receives it and the sender's devices hear of it; its seq is the recipient's."""
    save(session, to=8)
    saved = save(session)

    assert [("7", "/chat", 2, "message_sent"), ("9", "/chat", 1, "message_received")] == log.events()[2:]
    assert [saved.to_dict()] * 2 == log.payloads()[2:]
    assert 1 == saved.seq


def test_a_message_to_oneself_is_received_then_sent(session, log):
    """Both events stand in the one stream."""
    save(session, to=7)

    assert [("7", "/chat", 1, "message_received"), ("7", "/chat", 2, "message_sent")] == log.events()


async def test_its_broadcast_makes_no_second_message(session, log, store):
    """The guide saves a message and then broadcasts it: one row, one event for each side."""
    saved = save(session)
    sent = await store.send_message(broadcast())

    assert saved.id == sent.id
    assert 1 == log.count("tocsin_message")
    assert 2 == len(log.events())


async def test_each_saved_one_is_claimed_once(session, log, store):
    """Two saved and three broadcast are three messages, the oldest claimed first."""
    saved = [save(session), save(session)]
    sent = [await store.send_message(broadcast()) for _ in range(3)]

    assert [one.id for one in saved] == [one.id for one in sent[:2]]
    assert 3 == log.count("tocsin_message")


async def test_broadcasts_that_go_together_claim_one_each(session, log, store):
    """In one transaction of the bridge as one by one; what was saved has no events."""
    save(session)

    told = await store.write_many([broadcast(), broadcast()])
    assert [0, 2] == [len(events) for events in told]
    assert 2 == log.count("tocsin_message")


@pytest.mark.parametrize(
    "other", [broadcast(message="Hi "), broadcast(to="8"), broadcast(adopts_saved=False)], ids=["text", "user", "rest"]
)
async def test_another_message_is_another(session, log, store, other):
    """Only the same users and text are the same message, and only from a broadcast."""
    save(session)
    await store.send_message(other)

    assert 2 == log.count("tocsin_message")


async def test_a_minute_later_it_is_another(session, log, store, clock):
    """Nobody who says the same again tomorrow is taken for the first."""
    save(session)
    clock.ahead = ADOPTED_MS + 1_000
    await store.send_message(broadcast())

    assert 2 == log.count("tocsin_message")


async def test_a_clock_that_is_set_back_makes_the_minute_no_hour(session, log, store, clock):
    """One that nobody broadcast is not taken for what is said long after it."""
    save(session)
    clock.ahead = -3_600_000
    await store.send_message(broadcast())

    assert 2 == log.count("tocsin_message")


async def test_a_claim_with_an_id_is_found_again_by_it(session, log, store):
    """A retry of the broadcast is the same message, too."""
    saved = save(session)
    sent = [await store.send_message(broadcast(client_msg_id="c-1")) for _ in range(2)]

    assert [saved.id] * 2 == [one.id for one in sent]
    assert "c-1" == sent[0].client_msg_id
    assert 1 == log.count("tocsin_message")


@pytest.mark.parametrize("change", ["edit", "delete"])
async def test_the_broadcast_of_one_that_was_changed_meanwhile_is_still_that_one(session, log, store, chats, change):
    """What was edited or taken back is not said again; a second broadcast of the same text is a message."""
    saved = save(session)
    if change == "edit":
        await chats.edit("7", saved.id, "Hello")
    else:
        await chats.delete("7", saved.id)
    before = len(log.events())
    sent = [await store.send_message(broadcast(client_msg_id="c-1")) for _ in range(2)]

    assert [saved.id] * 2 == [one.id for one in sent]
    assert {"edit": "Hello", "delete": ""}[change] == sent[0].message
    assert before == len(log.events())
    assert saved.id != (await store.send_message(broadcast())).id


async def test_each_changed_one_is_claimed_once(session, log, store, chats):
    """The oldest change first; one that is said as it is now goes before."""
    saved = [save(session) for _ in range(3)]
    for one in saved[:2]:
        await chats.delete("7", one.id)
    sent = [await store.send_message(broadcast()) for _ in range(4)]

    assert [saved[2].id, saved[0].id, saved[1].id] == [one.id for one in sent[:3]]
    assert 4 == log.count("tocsin_message")


async def test_what_one_was_edited_to_is_another_message(session, log, store, chats):
    """The host says it anew, and means it."""
    saved = save(session)
    await chats.edit("7", saved.id, "Hello")
    sent = await store.send_message(broadcast(message="Hello"))

    assert saved.id != sent.id


@pytest.mark.parametrize("ahead", [ADOPTED_MS + 1_000, -3_600_000], ids=["later", "clock set back"])
async def test_a_changed_one_is_claimed_for_a_minute_only(session, store, chats, clock, ahead):
    """As one that was not."""
    saved = save(session)
    await chats.delete("7", saved.id)
    clock.ahead = ahead

    assert saved.id != (await store.send_message(broadcast())).id


async def test_one_stands_where_it_arrived(session, store, chats):
    """However long before the host made it: ids are the order of a conversation."""
    early = ChatMessage(from_user_id=7, to_user_id=9, message="made first")
    assert early.id is None
    sent = await store.send_message(broadcast("sent first"))
    session.add(early)
    session.commit()

    page = await chats.page("9", PageQuery("7"))
    assert [sent.id, early.id] == [one.id for one in page.messages]
    (listed,) = (await chats.conversations("9", None, 10)).conversations
    assert early.id == listed.last_message.id


async def test_a_broadcast_without_a_saved_one_is_a_message(log, store):
    """It need not have been saved."""
    await store.send_message(broadcast())

    assert 2 == len(log.events())


def test_one_id_of_a_sender_is_one_message(session):
    """The database refuses a second: the host's transaction fails as for any unique column."""
    save(session, client_msg_id="c-1")

    with pytest.raises(IntegrityError):
        save(session, client_msg_id="c-1")
    session.rollback()


def test_reading_is_told_to_both(session, log, new_session):
    """Once, whoever was first."""
    saved = save(session)
    other = new_session()
    same = other.get(ChatMessage, saved.id)
    saved.read_at = datetime.now(UTC)
    session.commit()
    same.read_at = datetime.now(UTC)
    other.commit()

    assert [("7", "message_read"), ("9", "message_read")] == [(user, event) for user, _, _, event in log.events()[2:]]
    told = {"message_id": saved.id, "from_user_id": 7, "to_user_id": 9, "read_at": same.to_dict()["read_at"]}
    assert [told] * 2 == log.payloads()[2:]


async def test_reading_behind_a_block_is_told_to_the_reader_alone(session, log, store):
    """The sender hears of it when the block has ended."""
    saved = save(session)
    await SqlChat(store).block("9", "7")
    saved.read_at = datetime.now(UTC)
    session.commit()

    assert [("9", "block_changed"), ("9", "message_read")] == [(user, event) for user, _, _, event in log.events()[2:]]


def test_text_can_not_change_and_no_message_is_deleted(session, log):
    """No client would hear of it."""
    saved = save(session)
    saved.to_dict()

    with pytest.raises(Invalid, match="message of a stored ChatMessage can't be changed"):
        saved.message = "Other"
    session.delete(saved)
    with pytest.raises(Invalid, match="can't be deleted"):
        session.commit()
    session.rollback()
    assert 2 == len(log.events())


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("attachments", [{"url": "javascript:alert(1)"}], "must be an https URL"),
        ("attachments", [{"url": "https://x.example/1"}] * 11, "at most 10 attachments"),
        ("ciphertext", {"body": "x"}, "no text and no attachments"),
    ],
)
def test_what_is_set_later_is_checked_too(session, log, field, value, told):
    """At the flush, before anybody hears of it."""
    saved = ChatMessage(from_user_id=7, to_user_id=9, message="Hi")
    setattr(saved, field, value)
    session.add(saved)

    with pytest.raises(Invalid, match=told):
        session.commit()
    session.rollback()
    assert [] == log.events()


def test_an_empty_text_is_refused_at_the_call():
    """The rules are those of REST."""
    with pytest.raises(Invalid, match="message must have 1 to 8000 characters"):
        ChatMessage(from_user_id=7, to_user_id=9, message="")
