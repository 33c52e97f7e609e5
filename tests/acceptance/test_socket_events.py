"""Client events: strict arguments, answers that are acks, and nothing that is another's."""

import uuid

import pytest

from tests.acceptance.wire_socket import connected
from tocsin.domain.events import NAMESPACES, REGISTRY
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.user_id import UserId

MISSING = "01890000-0000-7000-8000-000000000000"


def create_notification(server, user, **fields):
    draft = NotificationDraft(user_id=UserId(user), type="t", title="t", message="m", **fields)
    return server.call(server.service.notifications.create(draft))


async def refused(socket, namespace, event, *args):
    """Return the code of an ack that is a problem."""
    ack = await socket.ask(namespace, event, *args)
    assert ack["ok"] is False
    assert {"type", "title", "status", "code", "retryable"} <= ack.keys()
    return ack["code"]


async def test_a_message_is_acked_after_the_commit_and_delivered(shared_server):
    """The ack names the row; the recipient hears it, and so do the sender's other devices."""
    url = shared_server.url
    async with (
        connected(url, "/chat", shared_server.mint(11)) as sender,
        connected(url, "/chat", shared_server.mint(11)) as other_device,
        connected(url, "/chat", shared_server.mint(12)) as recipient,
    ):
        ack = await sender.ask("/chat", "send_message", {"to_user_id": 12, "message": "안녕 🔔 \u2028"})
        received = await recipient.payload("/chat", "message_received")
        echoed = await other_device.payload("/chat", "message_sent")

    assert {"ok": True, "id": received["id"], "seq": 1, "created_at": received["timestamp"]} == ack
    assert (11, 12, "안녕 🔔 \u2028") == (received["from_user_id"], received["to_user_id"], received["message"])
    assert received["id"] == echoed["id"]


async def test_the_same_client_msg_id_is_one_message(shared_server):
    """A retry, even over another connection, gets the first ack and makes no event."""
    url, draft = shared_server.url, {"to_user_id": 14, "message": "once", "client_msg_id": str(uuid.uuid4())}
    async with connected(url, "/chat", shared_server.mint(14)) as recipient:
        async with connected(url, "/chat", shared_server.mint(13)) as sender:
            first = await sender.ask("/chat", "send_message", draft)
        async with connected(url, "/chat", shared_server.mint(13)) as sender:
            again = await sender.ask("/chat", "send_message", draft)
            changed = await refused(sender, "/chat", "send_message", {**draft, "message": "other"})
            await sender.ask("/chat", "send_message", {"to_user_id": 14, "message": "last"})
        heard = [await recipient.payload("/chat", "message_received") for _ in range(2)]

    assert first == again
    assert "key_reused" == changed
    assert ["once", "last"] == [payload["message"] for payload in heard]


async def test_typing_reaches_the_other_user_only(shared_server):
    """It has no seq, is kept nowhere, and a third user hears nothing of it."""
    url = shared_server.url
    async with (
        connected(url, "/chat", shared_server.mint(15)) as writer,
        connected(url, "/chat", shared_server.mint(16)) as reader,
        connected(url, "/chat", shared_server.mint(17)) as third,
    ):
        assert {"ok": True} == await writer.ask("/chat", "typing", {"to_user_id": "16", "is_typing": True})
        assert ("user_typing", {"user_id": 15, "is_typing": True}) == await reader.next("/chat")
        await writer.ask("/chat", "send_message", {"to_user_id": 16, "message": "private"})
        await reader.payload("/chat", "message_received")
        await third.ask("/chat", "ack", {"seq": 0})

        assert [] == third.untaken("/chat")


async def test_reading_a_message_tells_both_sides(shared_server):
    """``mark_read`` of the recipient is heard by the sender, once however often it is said."""
    url = shared_server.url
    async with (
        connected(url, "/chat", shared_server.mint(18)) as sender,
        connected(url, "/chat", shared_server.mint(19)) as recipient,
    ):
        sent = await sender.ask("/chat", "send_message", {"to_user_id": 19, "message": "read me"})
        first = await recipient.ask("/chat", "mark_read", {"message_id": sent["id"]})
        again = await recipient.ask("/chat", "mark_read", {"message_id": sent["id"]})
        heard = await sender.payload("/chat", "message_read")
        await sender.ask("/chat", "ack", {"seq": 0})

        assert [] == sender.untaken("/chat")
    assert first == again
    assert (sent["id"], first["read_at"]) == (heard["message_id"], heard["read_at"])


async def test_only_the_recipient_marks_a_message_read(shared_server):
    """For the sender and for strangers a message is not there, exactly like one that never was."""
    url = shared_server.url
    async with (
        connected(url, "/chat", shared_server.mint(20)) as sender,
        connected(url, "/chat", shared_server.mint(22)) as stranger,
    ):
        sent = await sender.ask("/chat", "send_message", {"to_user_id": 21, "message": "m"})
        foreign = await stranger.ask("/chat", "mark_read", {"message_id": sent["id"]})
        own = await sender.ask("/chat", "mark_read", {"message_id": sent["id"]})
        missing = await stranger.ask("/chat", "mark_read", {"message_id": MISSING})

    assert "not_found" == foreign["code"]
    assert foreign == own == missing


async def test_an_inbox_is_changed_over_the_socket(shared_server):
    """Seen, read and deleted are acked after the commit and heard by all devices."""
    token, url = shared_server.mint(23), shared_server.url
    ids = [create_notification(shared_server, "23").id for _ in range(4)]
    namespace = "/notifications"
    async with connected(url, namespace, token) as phone, connected(url, namespace, token) as desk:
        seen = await phone.ask(namespace, "mark_seen")
        read = await phone.ask(namespace, "mark_read", {"notification_id": ids[0]})
        deleted = await phone.ask(namespace, "delete", {"notification_id": ids[1]})
        rest = await phone.ask(namespace, "mark_all_read", {})
        heard = await desk.until(namespace, "notification_read")
        heard += await desk.until(namespace, "notification_read")

    assert [4, ids[0], ids[1], 2] == [seen["marked"], read["id"], deleted["id"], rest["marked"]]
    assert ["notification_updated", "notification_read", "notification_deleted", "notification_read"] == [
        name for name, _ in heard if name != "unread_count"
    ]


async def test_the_badge_after_synced_is_none_of_the_events_that_a_cursor_counts(shared_server):
    """A client that takes whatever has a seq for an event must not take the badge for the next one."""
    namespace = "/notifications"
    for _ in range(2):
        create_notification(shared_server, "29")
    async with connected(shared_server.url, namespace, shared_server.mint(29)) as user:
        assert {"unread_count": 2, "as_of": 2} == await user.payload(namespace, "unread_count")


@pytest.mark.parametrize("event", ["mark_read", "delete"])
async def test_a_foreign_notification_answers_as_a_missing_one(shared_server, event):
    """Nobody learns that another user's notification is there, nor touches it."""
    theirs = create_notification(shared_server, "24").id
    async with connected(shared_server.url, "/notifications", shared_server.mint(25)) as socket:
        foreign = await socket.ask("/notifications", event, {"notification_id": theirs})
        missing = await socket.ask("/notifications", event, {"notification_id": MISSING})

    assert "not_found" == foreign["code"]
    assert foreign == missing
    assert not shared_server.call(shared_server.service.notifications.get(UserId("24"), theirs)).read_at


BAD_ARGUMENTS = [
    ("/chat", "send_message", []),
    ("/chat", "send_message", [None]),
    ("/chat", "send_message", ["text"]),
    ("/chat", "send_message", [[1]]),
    ("/chat", "send_message", [{"to_user_id": 1, "message": "m"}, {}]),
    ("/chat", "send_message", [{"to_user_id": 1}]),
    ("/chat", "send_message", [{"to_user_id": 1, "message": 5}]),
    ("/chat", "send_message", [{"to_user_id": 1, "message": ""}]),
    ("/chat", "send_message", [{"to_user_id": 1, "message": "x" * 8_001}]),
    ("/chat", "send_message", [{"to_user_id": None, "message": "m"}]),
    ("/chat", "send_message", [{"to_user_id": True, "message": "m"}]),
    ("/chat", "send_message", [{"to_user_id": 1.5, "message": "m"}]),
    ("/chat", "send_message", [{"to_user_id": "", "message": "m"}]),
    ("/chat", "send_message", [{"to_user_id": "x" * 129, "message": "m"}]),
    ("/chat", "send_message", [{"to_user_id": "a\nb", "message": "m"}]),
    ("/chat", "send_message", [{"to_user_id": 1, "message": "m", "from_user_id": 2}]),
    ("/chat", "send_message", [{"to_user_id": 1, "message": "m", "client_msg_id": 7}]),
    ("/chat", "send_message", [{"to_user_id": 1, "message": "m", "client_msg_id": "x" * 65}]),
    ("/chat", "typing", [{"to_user_id": 1, "is_typing": "yes"}]),
    ("/chat", "typing", [{"to_user_id": 1}]),
    ("/chat", "mark_read", [{"message_id": 7}]),
    ("/chat", "mark_read", [{"message_id": "x" * 65}]),
    ("/notifications", "delete", [{"notification_id": "a\0b"}]),
    ("/notifications", "mark_all_read", [{"category": "a\0b"}]),
    ("/notifications", "mark_read", [{}]),
    ("/notifications", "mark_read", [{"notification_id": MISSING, "user_id": 1}]),
    ("/notifications", "mark_all_read", [{"category": 5}]),
    ("/notifications", "mark_all_read", [{"user_id": 1}]),
    ("/notifications", "mark_seen", [{"notification_ids": "all"}]),
    ("/notifications", "mark_seen", [{"notification_ids": [MISSING] * 201}]),
    ("/notifications", "delete", [MISSING]),
    ("/sns", "publish_start", [{"post_id": 1}]),
    ("/sns", "publish_start", [{"post_id": 1, "platforms": "x"}]),
    ("/sns", "publish_start", [{"post_id": True, "platforms": []}]),
    ("/sns", "publish_start", [{"post_id": 1, "platforms": [1]}]),
    ("/sns", "publish_start", [{"post_id": 1, "platforms": ["x"] * 51}]),
    ("/sns", "publish_start", [{"post_id": 1, "platforms": [], "user_id": 2}]),
    ("/orders", "ack", [{"seq": -1}]),
    ("/orders", "ack", [{"seq": "1"}]),
    ("/orders", "ack", [{"seq": 2**53}]),
    ("/orders", "ack", [{"seq": True}]),
    ("/orders", "replay", [{"after": 1.5}]),
    ("/orders", "replay", [{}]),
    ("/orders", "reauth", [{"token": 1}]),
    ("/orders", "reauth", []),
]


@pytest.mark.parametrize(("namespace", "event", "args"), BAD_ARGUMENTS)
async def test_wrong_arguments_are_refused(shared_server, namespace, event, args):
    """Wrong types, sizes and unknown fields are ``invalid``; the connection goes on."""
    async with connected(shared_server.url, namespace, shared_server.mint(26)) as socket:
        assert "invalid" == await refused(socket, namespace, event, *args)
        assert (await socket.ask(namespace, "ack", {"seq": 0}))["ok"]


async def test_a_refusal_repeats_nothing_that_was_sent(shared_server):
    """The detail names the field and shows no value."""
    async with connected(shared_server.url, "/chat", shared_server.mint(27)) as socket:
        ack = await socket.ask("/chat", "send_message", {"to_user_id": ["secret"], "message": 7})

    assert "secret" not in str(ack)
    assert "to_user_id" in ack["detail"]


@pytest.mark.parametrize("kind", REGISTRY, ids=lambda kind: f"{kind.namespace}:{kind.name}")
async def test_a_client_cannot_emit_a_server_event(shared_server, kind):
    """Each event of the registry is unknown from the wire and reaches nobody."""
    url = shared_server.url
    async with (
        connected(url, kind.namespace, shared_server.mint(28)) as liar,
        connected(url, kind.namespace, shared_server.mint(28)) as victim,
    ):
        assert "unknown_event" == await refused(liar, kind.namespace, kind.name, {"user_id": 28})
        await liar.emit(kind.namespace, kind.name, {"user_id": 28})
        await liar.ask(kind.namespace, "ack", {"seq": 0})
        await victim.ask(kind.namespace, "ack", {"seq": 0})

        assert [] == victim.untaken(kind.namespace)


@pytest.mark.parametrize("event", ["join", "leave", "subscribe", "synced", "resync", "watch", "send_message"])
async def test_nobody_joins_rooms_or_asks_what_is_not_there(shared_server, event):
    """An event that the namespace does not take is unknown, whatever its name."""
    async with connected(shared_server.url, "/orders", shared_server.mint(29)) as socket:
        assert "unknown_event" == await refused(socket, "/orders", event, {"room": "30"})
        assert "unknown_event" == await refused(socket, "/orders", event, "30")


async def test_an_unknown_event_without_ack_is_ignored(shared_server):
    """Nobody waits for an answer, so there is none; the connection goes on."""
    async with connected(shared_server.url, "/orders", shared_server.mint(30)) as socket:
        await socket.emit("/orders", "no_such_event", 1, 2, 3)

        assert (await socket.ask("/orders", "ack", {"seq": 0}))["ok"]


async def test_publish_start_without_a_host_handler_is_told_to_the_own_devices(shared_server):
    """It becomes ``publish_started`` in the user's own stream."""
    token, url = shared_server.mint(31), shared_server.url
    request = {"post_id": 123, "platforms": ["instagram", "트위터"]}
    async with connected(url, "/sns", token) as phone, connected(url, "/sns", token) as desk:
        assert {"ok": True} == await phone.ask("/sns", "publish_start", request)
        heard = await desk.payload("/sns", "publish_started")

    assert request == {name: heard[name] for name in request}
    assert 1 == heard["seq"]


def answer_sync(user_id, data):
    return {"user": user_id, "got": data}


async def answer_async(user_id, data):
    return {"user": user_id, "got": data}


@pytest.mark.parametrize("handler", [answer_sync, answer_async])
async def test_publish_start_goes_to_the_hosts_handler(server, handler):
    """A handler, sync or async, gets the user and the data; its object is added to the ack."""
    server.service.on("publish_start", namespace="/sns")(handler)
    request = {"post_id": "p1", "platforms": ["x"]}
    async with connected(server.url, "/sns", server.mint(32)) as socket:
        ack = await socket.ask("/sns", "publish_start", request)
        await socket.ask("/sns", "ack", {"seq": 0})

        assert {"ok": True, "user": 32, "got": request} == ack
        assert [] == socket.untaken("/sns")


async def test_a_host_handler_that_fails_is_an_internal_error(server, caplog):
    """The client is told no detail; the log has it."""

    def fail(user_id, data):
        raise RuntimeError("database password")

    server.service.on("publish_start", namespace="/sns")(fail)
    async with connected(server.url, "/sns", server.mint(33)) as socket:
        ack = await socket.ask("/sns", "publish_start", {"post_id": 1, "platforms": []})

    assert (False, "internal_error", 500) == (ack["ok"], ack["code"], ack["status"])
    assert "password" not in str(ack)
    assert "database password" in caplog.text


@pytest.mark.parametrize("namespace", NAMESPACES)
async def test_every_event_of_a_back_end_reaches_its_user_only(shared_server, namespace):
    """What ``POST /api/events`` publishes is heard by its user and by nobody else."""
    url, events = shared_server.url, [kind for kind in REGISTRY if kind.namespace == namespace and kind.publishable]
    headers = shared_server.bearer("host", "publish")
    async with (
        connected(url, namespace, shared_server.mint(34)) as user,
        connected(url, namespace, shared_server.mint(35)) as other,
    ):
        for kind in events:
            body = {"namespace": namespace, "event": kind.name, "user_id": 34, "data": {"note": "종 🔔"}}
            assert shared_server.http.post("/api/events", json=body, headers=headers).status_code < 300
        heard = [await user.next(namespace) for _ in events]
        await other.ask(namespace, "ack", {"seq": 0})

        assert [] == other.untaken(namespace)
    assert [kind.name for kind in events] == [name for name, _ in heard]
    assert ["종 🔔"] * len(events) == [payload["note"] for _, payload in heard]
    assert [kind.durable for kind in events] == ["seq" in payload for _, payload in heard]
