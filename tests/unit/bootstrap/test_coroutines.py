"""What hosts await on the service: the arguments, the answers and the order of the sync functions."""

import asyncio
import inspect
from datetime import UTC, datetime

import pytest

from tocsin import Settings, build
from tocsin.domain.errors import Invalid, NotInitialized
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId
from tocsin.services.notifications import create_notification
from tocsin.websocket_server import broadcast_chat_message, broadcast_order_event

SECRET = "a secret of thirty-two bytes or so"


@pytest.fixture
async def service(tmp_path):
    settings = Settings(_env_file=None, jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'x.db'}", lang="ko")
    service = build(settings)
    await service.start()
    yield service
    await service.stop()


async def stream(service, user_id, namespace):
    found = await service.streams.read(StreamKey(UserId(user_id), namespace), 0, 100)
    return [event.record(service.store.epoch) for event in found.events]


async def test_create_notification_is_the_sync_one(service):
    """The same arguments make the same notification, and the answer is REST's."""
    expires_at = datetime(2100, 1, 2, tzinfo=UTC)
    fields = {"category": "billing", "priority": "high", "sound": "bell", "expires_at": expires_at}
    awaited = await service.create_notification(7, "invoice", "Ready", "November", {"at": expires_at}, **fields)
    called = await asyncio.to_thread(
        create_notification, 7, "invoice", "Ready", "November", {"at": expires_at}, **fields
    )

    own = {"id", "timestamp"}
    assert {name: awaited[name] for name in awaited.keys() - own} == {
        name: called[name] for name in called.keys() - own
    }
    assert (awaited["user_id"], awaited["data"]) == (7, {"at": "2100-01-02T00:00:00Z"})
    assert [awaited["id"], called["id"]] == [one["data"]["id"] for one in await stream(service, "7", "/notifications")]


def test_create_notification_takes_what_the_sync_one_takes():
    """By the same names, with the same defaults."""
    awaited = inspect.signature(build(jwt_secret=SECRET).create_notification)

    assert awaited.parameters == inspect.signature(create_notification).parameters


async def test_publish_returns_what_a_receipt_does(service):
    """The events with user and namespace, the server's words where there is no message."""
    awaited = await service.publish("/orders", "order_updated", 7, {"order_id": 1, "status": "shipped"})
    receipt = broadcast_order_event("order_updated", 7, {"order_id": 1, "status": "shipped"})
    [called] = await asyncio.to_thread(receipt.wait, 10)

    [event] = awaited
    assert event.keys() == called.keys()
    assert (event["user_id"], event["namespace"], event["seq"]) == (7, "/orders", 1)
    assert event["data"]["message"] == called["data"]["message"] == "주문하신 상품이 출발했어요. (주문번호 1)"


async def test_publish_to_many_and_to_who_is_there(service):
    """Each user has an event of a stored one; none is stored of presence."""
    told = await service.publish("/sns", "post_liked", [9, "alice", 9], {"post_id": 3, "user_id": 1})

    assert [9, "alice"] == [one["user_id"] for one in told]
    assert [] == await service.publish("/sns", "user_online", 9, {"user_id": 1})


async def test_send_message_is_the_sync_one(service):
    """The same `client_msg_id` is one message, whoever sends it."""
    awaited = await service.send_message(1, 2, "Hello", "m-1")
    receipt = broadcast_chat_message(1, 2, "Hello", "m-1")

    assert (awaited["from_user_id"], awaited["to_user_id"], awaited["message"]) == (1, 2, "Hello")
    assert [] == await asyncio.to_thread(receipt.wait, 10)
    assert [awaited["id"]] == [one["data"]["id"] for one in await stream(service, "2", "/chat")]


async def test_what_is_awaited_comes_after_what_was_handed_over(service):
    """One coroutine's calls keep their order, whichever kind they are."""
    for number in range(0, 20, 2):
        broadcast_order_event("order_updated", 7, {"order_id": number})
        await service.publish("/orders", "order_updated", 7, {"order_id": number + 1})

    assert list(range(20)) == [one["data"]["order_id"] for one in await stream(service, "7", "/orders")]


@pytest.mark.parametrize(
    "call",
    [
        lambda service: service.create_notification(7, "order", "", "no title"),
        lambda service: service.publish("/orders", "no_such_event", 7, {}),
        lambda service: service.publish("/orders", "order_updated", [], {}),
        lambda service: service.send_message(1, 2, ""),
    ],
)
async def test_a_wrong_argument_stores_nothing(service, call):
    """It is the caller's, at the call."""
    with pytest.raises(Invalid):
        await call(service)

    assert [] == await stream(service, "7", "/orders") + await stream(service, "7", "/notifications")


@pytest.mark.parametrize(
    "call",
    [
        lambda service: service.create_notification(7, "order", "Shipped", ""),
        lambda service: service.publish("/orders", "order_updated", 7, {}),
        lambda service: service.send_message(1, 2, "Hello"),
    ],
)
async def test_before_the_start_one_line_says_so(tmp_path, call):
    """Nothing is opened."""
    service = build(jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'x.db'}")

    with pytest.raises(NotInitialized, match="the service has not started"):
        await call(service)
    assert list(tmp_path.iterdir()) == []
