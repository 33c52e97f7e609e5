"""The guide's service modules, called from a thread of the serving process and from one that serves nobody."""

import inspect
import json
import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.bootstrap import coroutines
from tocsin.domain.errors import Invalid, PayloadTooBig
from tocsin.services import notifications
from tocsin.services.fcm_service import (
    list_devices,
    register_device,
    send_push,
    subscribe_topic,
    unregister_all_devices,
    unregister_device,
    unsubscribe_topic,
)
from tocsin.services.notifications import (
    create_notification,
    notify_delivery_confirmed,
    notify_message_received,
    notify_order_updated,
    notify_post_commented,
    notify_post_liked,
    notify_shipment_update,
    notify_sns_publish_failed,
    notify_sns_publish_success,
)

TOKEN = "fMEGG8-JBcAPA91bHun4MxP5egoKMwt2KZFBaFUH"

BUILDERS = {
    "publish_success": (
        lambda user, **lang: notify_sns_publish_success(user, 123, ["instagram", "twitter"], **lang),
        "sns",
        {"post_id": 123, "platforms": ["instagram", "twitter"]},
        ("Your post is live", "Your post is now live on Instagram and X."),
        ("게시물이 올라갔어요", "인스타그램, X에 게시물을 잘 올렸어요."),
    ),
    "publish_failed": (
        lambda user, **lang: notify_sns_publish_failed(user, 123, ["facebook"], "Sign in again.", **lang),
        "sns",
        {"post_id": 123, "platforms": ["facebook"], "error": "Sign in again."},
        ("Your post wasn't published", "We couldn't publish your post to Facebook. Reason: Sign in again."),
        ("게시물을 올리지 못했어요", "페이스북에 게시물을 올리지 못했어요. 사유: Sign in again."),
    ),
    "post_liked": (
        lambda user, **lang: notify_post_liked(user, 123, "7", "민아", **lang),
        "sns",
        {"post_id": 123, "user_id": 7, "user_name": "민아"},
        ("New like", "민아 liked your post."),
        ("좋아요를 받았어요", "민아 님이 회원님의 게시물을 좋아해요."),
    ),
    "post_commented": (
        lambda user, **lang: notify_post_commented(user, 123, 7, "멋져요!", "민아", **lang),
        "sns",
        {"post_id": 123, "user_id": 7, "user_name": "민아", "comment": "멋져요!"},
        ("New comment", "민아 commented: “멋져요!”"),
        ("새 댓글이 달렸어요", "민아 님이 댓글을 남겼어요: “멋져요!”"),
    ),
    "order_updated": (
        lambda user, **lang: notify_order_updated(user, 1042, "shipped", **lang),
        "orders",
        {"order_id": 1042, "status": "shipped"},
        ("Order shipped", "Order #1042 has been shipped."),
        ("상품이 발송됐어요", "주문하신 상품이 출발했어요. (주문번호 1042)"),
    ),
    "shipment_update": (
        lambda user, **lang: notify_shipment_update(user, 1042, "대전 허브", tracking_number="12", **lang),
        "orders",
        {"order_id": 1042, "location": "대전 허브", "tracking_number": "12"},
        ("Shipment update", "Order #1042 has reached 대전 허브. Tracking number: 12"),
        ("배송 소식이 있어요", "상품이 대전 허브에 도착했어요. (주문번호 1042 · 운송장번호 12)"),
    ),
    "delivery_confirmed": (
        lambda user, **lang: notify_delivery_confirmed(user, "A-17", **lang),
        "orders",
        {"order_id": "A-17"},
        ("Delivery confirmed", "Order #A-17 has arrived. Enjoy!"),
        ("배송이 완료됐어요", "주문하신 상품이 잘 도착했어요. 이용해 주셔서 감사합니다. (주문번호 A-17)"),
    ),
    "message_received": (
        lambda user, **lang: notify_message_received(user, 456, "안녕\n하세요", "Sam", **lang),
        "chat",
        {"from_user_id": 456, "from_name": "Sam"},
        ("New message from Sam", "안녕\n하세요"),
        ("Sam 님이 메시지를 보냈어요", "안녕\n하세요"),
    ),
}


@pytest.fixture(autouse=True)
def say_anew():
    """Let what is said once a process be said once a test."""
    coroutines.say_once.cache_clear()


def inbox(server, user_id):
    return server.http.get("/api/notifications", headers=server.bearer(user_id)).json()["notifications"]


def test_a_created_notification_is_what_rest_answers(server):
    """The same object, committed when the call returns."""
    created = create_notification(
        7,
        "order",
        "On its way",
        "It arrives tomorrow.",
        {"order_id": 17},
        category="orders",
        priority="high",
        sound="s",
    )
    posted = server.http.post(
        "/api/notifications",
        headers=server.bearer("back end", "publish"),
        json={
            "user_id": 7,
            "type": "order",
            "title": "On its way",
            "message": "It arrives tomorrow.",
            "data": {"order_id": 17},
            "category": "orders",
            "priority": "high",
            "sound": "s",
        },
    ).json()

    assert inbox(server, 7) == [posted, created]
    assert list(created) == list(posted)
    assert created | {"id": posted["id"], "timestamp": posted["timestamp"]} == posted


def test_who_joins_a_group_again_gets_its_card_as_rest_answers_it(server):
    """Nothing is counted anew, and the answer is the whole card, not what has changed of it."""
    notify_post_liked(7, 1, 8, "Mina", is_grouped=True)
    again = notify_post_liked(7, 1, 8, "Mina Kim", is_grouped=True)

    assert inbox(server, 7) == [again]
    assert again["group"]["actors"] == [{"id": 8, "name": "Mina Kim"}]


def test_a_notification_may_end(server):
    """After seconds, or at an instant; a naive one is UTC."""
    end = datetime(2100, 1, 1, 12)  # noqa: DTZ001 the naive one is meant
    there = timedelta(hours=9)

    assert create_notification(7, "t", "t", "m", expires_at=end)["expires_at"] == "2100-01-01T12:00:00.000Z"
    aware = create_notification(7, "t", "t", "m", expires_at=end.replace(tzinfo=UTC) + there)
    assert aware["expires_at"] == "2100-01-01T21:00:00.000Z"
    assert create_notification(7, "t", "t", "m", ttl_s=60)["expires_at"] > datetime.now(UTC).isoformat()


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"title": ""}, Invalid),
        ({"title": 7}, Invalid),
        ({"message": "x" * 4_001}, Invalid),
        ({"user_id": None}, Invalid),
        ({"data": [1]}, Invalid),
        ({"data": {"file": object()}}, Invalid),
        ({"data": {"x": "x" * 17_000}}, PayloadTooBig),
        ({"priority": "loud"}, Invalid),
        ({"ttl_s": 1, "expires_at": "2100-01-01T00:00:00Z"}, Invalid),
    ],
)
def test_what_breaks_a_rule_is_refused_at_the_call(server, wrong, error):
    """Nothing is stored."""
    with pytest.raises(error):
        create_notification(**({"user_id": 7, "type": "t", "title": "t", "message": "m"} | wrong))
    assert inbox(server, 7) == []


@pytest.mark.parametrize("platforms", [None, 7, ["instagram", 7], [None]])
def test_platforms_that_are_none_are_refused(platforms):
    """In one line, before anything is done."""
    with pytest.raises(Invalid, match="platforms must be a list of strings"):
        notify_sns_publish_success(7, 1, platforms)


def test_on_the_serving_loop_it_refuses_and_stores_nothing(server):
    """There it would wait for itself; the line says what to do instead."""

    async def view():
        with pytest.raises(RuntimeError, match="await"):
            create_notification(7, "t", "t", "m")
        with pytest.raises(RuntimeError, match="await"):
            register_device(7, TOKEN, "ios")

    server.call(view())
    assert inbox(server, 7) == []


def test_every_event_of_the_guide_has_a_builder():
    """One for each, and each is shown here."""
    builders = {name for name, _ in inspect.getmembers(notifications, inspect.isfunction) if name.startswith("notify_")}

    assert len(builders) == len(BUILDERS)


@pytest.mark.parametrize("event", BUILDERS)
def test_a_builder_writes_in_both_languages(shared_server, event):
    """Type, category and data are the event's; title and message say it to the user."""
    build, category, data, english, korean = BUILDERS[event]
    user = f"reader of {event}"
    created = [build(user), build(user, lang="ko")]

    assert inbox(shared_server, user) == created[::-1]
    for notification, text in zip(created, (english, korean), strict=True):
        assert (notification["type"], notification["category"], notification["data"]) == (event, category, data)
        assert (notification["title"], notification["message"]) == text


def test_the_settings_choose_the_language(start_server):
    """A call may choose another; one that is not there is refused."""
    start_server(lang="ko")

    assert notify_post_liked(7, 1, 8)["message"] == "누군가 회원님의 게시물을 좋아해요."
    assert notify_post_liked(7, 1, 8, lang="en")["message"] == "Someone liked your post."
    with pytest.raises(Invalid, match="lang must be one of en, ko"):
        notify_post_liked(7, 1, 8, lang="fr")


def test_whatever_users_write_a_builder_succeeds(shared_server):
    """Long, broken or empty texts of users are no reason to fail their reader's notification."""
    comment = "👨‍👩‍👧" * 5_000 + "\0\ud83c"
    created = [
        notify_post_commented(9, 1, 8, comment, "\ud83c" + "이" * 500),
        notify_post_commented(9, 1, 8, "", ""),
        *(notify_post_liked(9, name, 8, name, is_grouped=True) for name in ("", "\ud83c" + "이" * 500)),
        notify_message_received(9, 8, comment, "x" * 500),
        notify_sns_publish_failed(9, 1, ["\ud83c", "x" * 5_000], "\0" * 5_000),
        notify_order_updated(9, "x" * 500, "y" * 5_000),
        notify_shipment_update(9, 1, *("z" * 900 for _ in range(4))),
        notify_sns_publish_success(9, 1, "instagram"),
    ]

    assert inbox(shared_server, 9) == created[::-1]
    assert created[0]["data"]["comment"].endswith("👧…")
    assert created[-1]["message"] == "Your post is now live on Instagram."


def test_devices_and_topics_of_a_back_end(server):
    """The functions do what the endpoints do, tokens masked."""
    device = register_device(7, TOKEN, "android", "민아의 폰")
    subscribe_topic(7, "news")
    subscribe_topic(7, "weather")
    unsubscribe_topic(7, "weather")
    listed = server.http.get("/api/fcm/device-list", headers=server.bearer(7)).json()

    assert listed == {"devices": [device], "topics": ["news"]}
    assert list_devices(7) == [device]
    assert (device["token"], device["device_name"]) == ("…aFUH", "민아의 폰")
    assert unregister_device(8, TOKEN) is False
    assert unregister_device(7, TOKEN) is True
    assert unregister_device(7, TOKEN) is False
    for number in range(2):
        register_device(7, f"{TOKEN}{number}", "web", kind="fid")
    assert (unregister_all_devices(7), unregister_all_devices(7), list_devices(7)) == (2, 0, [])


@pytest.mark.parametrize(
    ("function", "arguments", "field"),
    [
        (register_device, (7, "a token with spaces", "ios"), "token"),
        (register_device, (7, TOKEN, "windows"), "platform"),
        (register_device, ("", TOKEN, "ios"), "user_id"),
        (unregister_device, (7, ""), "token"),
        (subscribe_topic, (7, "/topics/news"), "topic"),
        (unsubscribe_topic, (7, None), "topic"),
        (send_push, (7, "", "m"), "title"),
    ],
)
def test_what_breaks_a_rule_of_devices_is_refused(shared_server, function, arguments, field):
    """The detail names the field and tells no token."""
    with pytest.raises(Invalid, match=f"^{field} ") as refused:
        function(*arguments)
    assert "a token with spaces" not in str(refused.value)


def test_without_credentials_push_says_so_once(server, caplog):
    """It goes to nobody and the rest works."""
    register_device(7, TOKEN, "ios")
    with caplog.at_level(logging.WARNING, "tocsin"):
        sent = [send_push(7, "Sale", "Today only", {"url": "/sale"}) for _ in range(3)]

    assert sent == [0, 0, 0]
    assert [record.getMessage() for record in caplog.records] == [
        "no push goes to devices: set FIREBASE_CREDENTIALS_PATH to the key file of your Firebase project"
    ]


SCRIPT = """
import json
from tocsin.services.fcm_service import list_devices, register_device
from tocsin.services.notifications import notify_order_updated

notification = notify_order_updated(7, 1042, "paid")
device = register_device(7, "fMEGG8-JBcAPA91bHun4MxP5egoKMwt2KZFBaFUH", "ios")
print(json.dumps([notification, device, list_devices(7)]))
"""


def test_a_script_writes_to_the_servers_database(server, tmp_path):
    """A process that serves nobody needs the database's URL alone; what it stored is there when the call returns."""
    environment = {"TOCSIN_DATABASE_URL": server.settings.database_url, "TOCSIN_LANG": "ko"}
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=tmp_path, capture_output=True, timeout=60, check=False
    )
    assert finished.returncode == 0, finished.stderr.decode()
    notification, device, devices = json.loads(finished.stdout)

    assert notification["title"] == "결제가 완료됐어요"
    assert inbox(server, 7) == [notification]
    assert devices == [device] == list_devices(7)
