"""What a user of SoftFactory does, and what whoever it concerns hears of it: with the fixtures that Tocsin brings."""

from concurrent.futures import ThreadPoolExecutor

import pytest


@pytest.fixture
def tocsin_settings():
    return {"push_ladder": "high: push 0s; normal: push 0s; low: none"}


def test_who_signs_in_may_connect(tocsin_server, tocsin_client):
    """The token of the login is one of the sockets."""
    visitor = tocsin_client(1)

    answer = visitor.request("POST", "/api/login", {"login": "mina", "password": "kiln"}).json

    visitor.disconnect()
    visitor.token = answer["auth_token"]
    visitor.connect()
    assert visitor.get("/api/me").json["user"]["name"] == "Mina"


def test_an_order_and_its_event_come_together(tocsin_client):
    """Each step of an order is told to its buyer alone."""
    mina, junho = tocsin_client(1), tocsin_client(2)

    order = mina.post("/api/orders", {"sku": "teapot"}).json
    mina.post(f"/api/orders/{order['order_id']}/advance")

    assert mina.wait_for("order_updated", status="placed")["order_id"] == order["order_id"]
    assert mina.wait_for("order_updated", status="packed")["order_id"] == order["order_id"]
    assert junho.heard("order_updated") == []
    assert mina.get("/api/notifications").json["unread_count"] > 0


def test_a_like_reaches_the_author(tocsin_client):
    """A like is told by an event and by a notification, in the author's language."""
    mina, junho = tocsin_client(1), tocsin_client(2)

    junho.post("/api/posts/1/like")

    assert mina.wait_for("post_liked")["user_name"] == "준호"
    assert mina.wait_for("notification", type="post_liked")["data"]["user_id"] == 2


def test_who_presses_often_likes_once(tocsin_client):
    """Also when the presses come at the same time; the author is told once."""
    mina, junho = tocsin_client(1), tocsin_client(2)

    with ThreadPoolExecutor(12) as fingers:
        likes = [answer.json["likes"] for answer in fingers.map(junho.post, ["/api/posts/1/like"] * 24)]

    assert set(likes) == {1}
    assert mina.get("/api/notifications").json["unread_count"] == 1


@pytest.mark.parametrize(("platform", "event"), [("instagram", "publish_success"), ("tiktok", "publish_failed")])
def test_a_publication_says_how_it_went(tocsin_client, platform, event):
    """``publish_start`` of a page is carried out, and its end is told."""
    mina = tocsin_client(1)

    ack = mina.emit("/sns", "publish_start", {"post_id": 1, "platforms": [platform]})

    assert ack["ok"]
    assert mina.wait_for("publish_started")["post_id"] == 1
    assert mina.wait_for(event)["platforms"] == [platform]
    assert mina.wait_for("notification", type=event)


def test_a_message_is_delivered_once(tocsin_client):
    """What the back end stores and broadcasts is one message."""
    mina, junho = tocsin_client(1), tocsin_client(2)

    junho.post("/api/messages?with=1", {"text": "점심 같이 먹을래요? 🍜"})

    assert mina.wait_for("message_received")["message"] == "점심 같이 먹을래요? 🍜"
    mina.disconnect()
    mina.connect()
    assert len(mina.heard("message_received")) == 1


def test_a_phone_is_pushed_to(tocsin_client, fake_fcm):
    """An order of a user who is away reaches their phone, when the ladder says so."""
    mina = tocsin_client(1, namespaces=())
    mina.post("/api/fcm/register-device", {"token": "token-of-a-phone", "platform": "android"})

    mina.post("/api/orders", {"sku": "lamp"})

    assert fake_fcm.wait()["notification"]["title"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"/api/posts/{10**22}/like", {}, 404),
        (f"/api/posts/{10**22}/comments", {"text": "Nice"}, 404),
        (f"/api/orders/{10**22}/advance", {}, 404),
        (f"/api/messages?with={10**200}", {"text": "Hello"}, 422),
        ("/api/messages?with=1", {"text": "half of a character: \ud83c"}, 422),
        ("/api/posts", {"text": "half of a character: \ud83c"}, 422),
        ("/api/login", {"login": "\ud83c", "password": "kiln"}, 422),
    ],
)
def test_what_no_database_holds_is_refused(tocsin_client, path, body, status):
    """A number that is no id of anything, or a text that can't be stored, is no fault of the server's."""
    assert tocsin_client(2).post(path, body).status == status


def test_a_token_of_nobody_in_the_shop_is_refused(tocsin_client):
    """Whatever its user's id is: the server knows more users than the shop."""
    for user in ("backend", 10**22):
        assert tocsin_client(user).get("/api/me").status == 401
