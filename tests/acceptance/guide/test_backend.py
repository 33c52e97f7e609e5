"""The guide, heading by heading: what its reader does on the back end's side."""

import asyncio
from itertools import count

import pytest

from tests.acceptance.guide.conftest import NAMESPACES
from tests.acceptance.stock_clients import stock_client
from tests.acceptance.wire_socket import Refused

_users = count(1_000)

# Heading "Namespaces": how the back end makes each of its events, and what must arrive of it.
EVENTS = {
    "/sns publish_started": (
        "websocket_server.broadcast_sns_event",
        lambda me: ["publish_started", me, {"post_id": 123, "platforms": ["instagram"]}],
        {"post_id": 123, "platforms": ["instagram"]},
    ),
    "/sns publish_success": (
        "websocket_server.broadcast_sns_event",
        lambda me: ["publish_success", me, {"post_id": 123, "platforms": ["instagram"], "message": "Published"}],
        {"post_id": 123, "platforms": ["instagram"], "message": "Published"},
    ),
    "/sns publish_failed": (
        "websocket_server.broadcast_sns_event",
        lambda me: ["publish_failed", me, {"post_id": 123, "error": "token expired"}],
        {"post_id": 123, "error": "token expired"},
    ),
    "/sns post_liked": (
        "websocket_server.broadcast_sns_event",
        lambda me: ["post_liked", me, {"post_id": 123, "user_id": 456}],
        {"post_id": 123, "user_id": 456},
    ),
    "/sns post_commented": (
        "websocket_server.broadcast_sns_event",
        lambda me: ["post_commented", me, {"post_id": 123, "user_id": 456, "comment": "멋져요 <b>"}],
        {"post_id": 123, "user_id": 456, "comment": "멋져요 <b>"},
    ),
    "/sns user_online": (
        "websocket_server.broadcast_sns_event",
        lambda me: ["user_online", me, {"user_id": 456}],
        {"user_id": 456},
    ),
    "/sns user_offline": (
        "websocket_server.broadcast_sns_event",
        lambda me: ["user_offline", me, {"user_id": 456}],
        {"user_id": 456},
    ),
    "/orders order_updated": (
        "websocket_server.broadcast_order_event",
        lambda me: ["order_updated", me, {"order_id": "A-1", "status": "packed"}],
        {"order_id": "A-1", "status": "packed"},
    ),
    "/orders shipment_update": (
        "websocket_server.broadcast_order_event",
        lambda me: ["shipment_update", me, {"order_id": "A-1", "location": "부산항"}],
        {"order_id": "A-1", "location": "부산항"},
    ),
    "/orders delivery_confirmed": (
        "websocket_server.broadcast_order_event",
        lambda me: ["delivery_confirmed", me, {"order_id": "A-1"}],
        {"order_id": "A-1"},
    ),
    "/chat message_received": (
        "websocket_server.broadcast_chat_message",
        lambda me: [456, me, "안녕하세요"],
        {"from_user_id": 456, "message": "안녕하세요"},
    ),
    "/notifications notification": (
        "websocket_server.broadcast_notification",
        lambda me: [me, {"title": "Hello", "message": "there"}],
        {"title": "Hello", "message": "there", "read": False},
    ),
}


@pytest.fixture
def me():
    """A user of the test's own: a number, as the guide has them."""
    return next(_users)


async def call(guide, name, *args, **kwargs):
    return await asyncio.to_thread(guide.call, name, *args, **kwargs)


def rest(guide, method, path, user, **more):
    answer = guide.http.request(method, path, headers=guide.bearer(user), **more)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


# Quick Start


async def test_quick_start_backend(guide, me):
    """Flask views and the four namespaces answer on one port of one process."""
    async with stock_client("4.5") as client:
        await client.open(guide.url, NAMESPACES, ["websocket"], {"token": guide.token(me)})

        assert "SoftFactory" == guide.http.get("/").text
        assert 200 == guide.http.get("/js/websocket.js").status_code
        assert "websocket" == await client.transport()


# Architecture, its namespaces


@pytest.mark.parametrize("name", EVENTS)
async def test_each_event_of_the_namespaces_arrives(guide, me, name):
    """The back end's function is called in a view, the event reaches the user's client with the guide's fields."""
    namespace, event = name.split()
    function, arguments, expected = EVENTS[name]
    async with stock_client("python") as client:
        await client.open(guide.url, NAMESPACES, ["websocket"], {"token": guide.token(me)})
        await client.next(namespace, "synced")
        await call(guide, function, *arguments(me))
        (payload,) = await client.next(namespace, event)

    assert expected.items() <= payload.items()
    assert payload["timestamp"].endswith("Z")


async def test_typing_and_reading_reach_the_other_side(guide, me):
    """``user_typing`` and ``message_read`` go to whom they concern."""
    other = next(_users)
    async with stock_client("python") as mine, stock_client("python") as theirs:
        await mine.open(guide.url, ["/chat"], ["websocket"], {"token": guide.token(me)})
        await theirs.open(guide.url, ["/chat"], ["websocket"], {"token": guide.token(other)})
        await theirs.next("/chat", "synced")
        await mine.ask("/chat", "typing", {"to_user_id": other, "is_typing": True})
        (typing,) = await theirs.next("/chat", "user_typing")
        sent = await mine.ask("/chat", "send_message", {"to_user_id": other, "message": "Hi"})
        await theirs.ask("/chat", "mark_read", {"message_id": sent["id"]})
        (read,) = await mine.next("/chat", "message_read")

    assert {"user_id": me, "is_typing": True} == typing
    assert sent["id"] == read["message_id"]


async def test_marks_reach_every_device(guide, me):
    """``notification_read`` and ``notification_deleted`` tell of what REST does."""
    made = await call(guide, "services.notifications.create_notification", me, "system", "Title", "Text")
    async with stock_client("4.8") as client:
        await client.open(guide.url, ["/notifications"], ["polling"], {"token": guide.token(me)})
        await client.next("/notifications", "synced")
        await asyncio.to_thread(rest, guide, "PUT", f"/api/notifications/{made['id']}/read", me)
        (read,) = await client.next("/notifications", "notification_read")
        await asyncio.to_thread(rest, guide, "DELETE", f"/api/notifications/{made['id']}", me)
        (deleted,) = await client.next("/notifications", "notification_deleted")

    assert (made["id"], made["id"]) == (read["id"], deleted["id"])


# API Endpoints


def test_notification_endpoints(guide, me):
    """The seven endpoints of "Notification Management"."""
    publisher = guide.bearer("back end", scope="publish")
    body = {"user_id": me, "type": "system", "title": "One", "message": ""}
    made = guide.http.post("/api/notifications", headers=publisher, json=body)
    guide.call("services.notifications.create_notification", me, "system", "Two", "")
    notification_id = made.json()["id"]

    assert 201 == made.status_code
    assert ["Two", "One"] == [n["title"] for n in rest(guide, "GET", "/api/notifications", me)["notifications"]]
    assert "One" == rest(guide, "GET", f"/api/notifications/{notification_id}", me)["title"]
    assert 2 == rest(guide, "GET", "/api/notifications/stats", me)["unread"]
    assert rest(guide, "PUT", f"/api/notifications/{notification_id}/read", me)["read"]
    assert {"marked": 1} == rest(guide, "POST", "/api/notifications/read-all", me)
    assert 0 == rest(guide, "GET", "/api/notifications/stats", me)["unread"]
    rest(guide, "DELETE", f"/api/notifications/{notification_id}", me)
    assert 404 == guide.http.get(f"/api/notifications/{notification_id}", headers=guide.bearer(me)).status_code


def test_fcm_endpoints(guide, me):
    """The six endpoints of "Firebase Cloud Messaging"; no answer shows a token."""
    token = "device-token-of-a-phone-0123456789"
    device = rest(guide, "POST", "/api/fcm/register-device", me, json={"token": token, "platform": "android"})
    rest(guide, "POST", "/api/fcm/register-device", me, json={"token": token + "x", "platform": "web"})
    rest(guide, "POST", "/api/fcm/subscribe-topic", me, json={"topic": "news"})
    rest(guide, "POST", "/api/fcm/unsubscribe-topic", me, json={"topic": "news"})
    listed = rest(guide, "GET", "/api/fcm/device-list", me)
    rest(guide, "POST", "/api/fcm/unregister-device", me, json={"token": token})
    left = rest(guide, "GET", "/api/fcm/device-list", me)
    rest(guide, "POST", "/api/fcm/unregister-all", me)

    assert token not in f"{device}{listed}{left}"
    assert [2, 1] == [len(listed["devices"]), len(left["devices"])]
    assert [] == rest(guide, "GET", "/api/fcm/device-list", me)["devices"]


# Backend Integration Examples


async def test_broadcasting_from_services(guide, me):
    """``publish_post_to_platforms``: one event, one stored notification."""
    async with stock_client("4.5") as client:
        await client.open(guide.url, NAMESPACES, ["polling", "websocket"], {"token": guide.token(me)})
        await client.next("/sns", "synced")
        await call(guide, "services.sns.publish_post_to_platforms", 123, me, ["instagram", "twitter"])
        (event,) = await client.next("/sns", "publish_success")
        (notification,) = await client.next("/notifications", "notification")
    stats = await asyncio.to_thread(rest, guide, "GET", "/api/notifications/stats", me)

    assert (123, ["instagram", "twitter"]) == (event["post_id"], event["platforms"])
    assert event["timestamp"].endswith("Z")
    assert event["message"]
    assert 123 == notification["data"]["post_id"]
    assert 1 == stats["unread"]


async def test_chat_message_handling(guide, me):
    """``send_message`` saves and broadcasts: the recipient hears it once, one row is stored."""
    other = next(_users)
    async with stock_client("4.8") as client:
        await client.open(guide.url, ["/chat"], ["websocket"], {"token": guide.token(other)})
        await client.next("/chat", "synced")
        for text in ("ㅋㅋ", "ㅋㅋ", "last"):
            await call(guide, "services.chat.send_message", me, other, text)
        heard = []
        while not heard or heard[-1]["message"] != "last":
            heard += await client.next("/chat", "message_received")
    rows = (await asyncio.to_thread(guide.http.get, "/messages")).json()

    assert ["ㅋㅋ", "ㅋㅋ", "last"] == [one["message"] for one in heard]
    assert [[me, other, "ㅋㅋ"], [me, other, "ㅋㅋ"], [me, other, "last"]] == [row for row in rows if row[0] == me]


BUILDERS = {
    "notify_sns_publish_success": ["{me}", 1, ["instagram", "twitter"]],
    "notify_sns_publish_failed": ["{me}", 1, ["instagram"], "token expired"],
    "notify_post_liked": ["{me}", 1, 456, "Mina"],
    "notify_post_commented": ["{me}", 1, 456, "Nice", "Mina"],
    "notify_order_updated": ["{me}", "A-1", "shipped"],
    "notify_shipment_update": ["{me}", "A-1", "Busan"],
    "notify_delivery_confirmed": ["{me}", "A-1"],
    "notify_message_received": ["{me}", 456, "Hello", "Mina"],
}


@pytest.mark.parametrize("name", BUILDERS)
def test_each_builder_stores_a_notification(guide, me, name):
    """A title and a text in both languages, the event's ids in its data."""
    arguments = [me if one == "{me}" else one for one in BUILDERS[name]]

    guide.call(f"services.notifications.{name}", *arguments)
    guide.call(f"services.notifications.{name}", *arguments, lang="ko")
    korean, english = rest(guide, "GET", "/api/notifications", me)["notifications"]

    assert english["title"].isascii()
    assert any("가" <= letter <= "힣" for letter in korean["title"] + korean["message"])
    assert english["data"] == korean["data"] != {}


# Rate Limiting


async def test_rate_limiting(guide, me):
    """Ten events a minute are handled, the eleventh is refused with the time to wait; another user is not."""
    other = next(_users)
    async with stock_client("4.8") as mine, stock_client("4.5") as theirs:
        await mine.open(guide.url, ["/"], ["websocket"], {"token": guide.token(me)})
        await theirs.open(guide.url, ["/"], ["websocket"], {"token": guide.token(other)})
        answers = [await mine.ask("/", "message", {"n": n}) for n in range(11)]
        free = await theirs.ask("/", "message", "text")

    assert [{"ok": True, "heard": {"n": n}} for n in range(10)] == answers[:10]
    assert ("rate_limited", False) == (answers[10]["code"], answers[10]["ok"])
    assert answers[10]["retry_after_s"] > 0
    assert {"ok": True, "heard": "text"} == free


# Security


async def test_authentication(guide):
    """Every namespace asks for a token, and says what is wrong with it."""
    for auth in ({}, {"token": "wrong"}):
        async with stock_client("4.5") as client:
            with pytest.raises(Refused) as refusal:
                await client.open(guide.url, ["/notifications"], ["websocket"], auth)
            assert "unauthenticated" == refusal.value.data["code"]
