"""A push in Firebase's words."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.adapters.fcm.messages import least_message, message_maker, strings
from tocsin.domain.push import PushMessage

FIELDS = {
    "title": "Order shipped",
    "body": "It left Busan 🚚",
    "data": {"order_id": 5, "who": "민아", "tags": ["a"], "none": None, "sure": True},
    "collapse_key": "order-5",
    "ttl_s": 3_600,
    "badge": 3,
    "link": "https://shop.example.com/orders/5",
    "notification_id": "0193-n",
}


def made(**fields):
    message = PushMessage(**({"title": "t", "body": "b"} | fields))
    return json.loads(str(message_maker(message)("fid", "an installation")))


def test_the_whole_message():
    """Each platform gets its own words for the same."""
    message = made(**FIELDS)
    expiration = int(message["apns"]["headers"].pop("apns-expiration"))

    assert abs(expiration - time.time() - 3_600) < 60
    assert message == {
        "fid": "an installation",
        "notification": {"title": "Order shipped", "body": "It left Busan 🚚"},
        "data": {
            "order_id": "5",
            "who": "민아",
            "tags": '["a"]',
            "none": "null",
            "sure": "true",
            "link": "https://shop.example.com/orders/5",
            "notification_id": "0193-n",
        },
        "android": {
            "collapse_key": "order-5",
            "priority": "normal",
            "ttl": "3600s",
            "notification": {"tag": "order-5", "sound": "default", "notification_count": 3},
        },
        "apns": {
            "headers": {"apns-priority": "5", "apns-collapse-id": "order-5"},
            "payload": {"aps": {"badge": 3, "sound": "default"}},
        },
        "webpush": {
            "headers": {"TTL": "3600", "Urgency": "normal", "Topic": "order-5"},
            "notification": {"tag": "order-5"},
            "fcm_options": {"link": "https://shop.example.com/orders/5"},
        },
    }


@pytest.mark.parametrize(
    ("priority", "android", "apns", "urgency", "sound"),
    [
        ("low", "normal", "5", "low", None),
        ("normal", "normal", "5", "normal", "default"),
        ("high", "high", "10", "high", "default"),
        ("urgent", "high", "10", "high", "default"),
    ],
)
def test_priorities(priority, android, apns, urgency, sound):
    """High and urgent wake a device, low makes no sound."""
    message = made(priority=priority)

    assert (android, apns, urgency, sound, sound) == (
        message["android"]["priority"],
        message["apns"]["headers"]["apns-priority"],
        message["webpush"]["headers"]["Urgency"],
        message["android"]["notification"].get("sound"),
        message["apns"].get("payload", {}).get("aps", {}).get("sound"),
    )


def test_a_message_without_a_collapse_key_replaces_itself_alone():
    """A second try has the tag of the first; Firebase's few collapse keys are left to those who ask for one."""
    message = PushMessage(title="t", body="b")
    first, second = (json.loads(str(message_maker(message)("fid", "x"))) for _ in range(2))

    assert message.push_id == first["android"]["notification"]["tag"] == second["android"]["notification"]["tag"]
    assert "collapse_key" not in first["android"]
    assert message.push_id == first["apns"]["headers"]["apns-collapse-id"]


@pytest.mark.parametrize("key", ["x" * 64, "a key with spaces", "열쇠" * 30, "a/b"])
def test_a_topic_is_what_the_web_allows(key):
    """At most 32 of 64 characters, whatever the key is; an Apple id has at most 64 bytes."""
    message = made(collapse_key=key)

    assert set(message["webpush"]["headers"]["Topic"]) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    )
    assert len(message["webpush"]["headers"]["Topic"]) == 32
    assert len(message["apns"]["headers"]["apns-collapse-id"].encode()) <= 64


def test_now_or_never():
    """A ttl of nothing is one on each platform; a badge of 0 takes the number away."""
    message = made(ttl_s=0, badge=0)

    assert ("0s", "0", "0", 0) == (
        message["android"]["ttl"],
        message["apns"]["headers"]["apns-expiration"],
        message["webpush"]["headers"]["TTL"],
        message["apns"]["payload"]["aps"]["badge"],
    )


def test_a_path_is_left_to_the_app():
    """Firebase takes https URLs alone; the path stands in the data."""
    message = made(link="/orders/5")

    assert "fcm_options" not in message["webpush"]
    assert {"link": "/orders/5"} == message["data"]


def test_reserved_keys_are_renamed():
    """Firebase would refuse the message for them."""
    data = {"from": 1, "message_type": 2, "google.a": 3, "gcm.b": 4, "": 5, "to": 6}

    assert {"_from": "1", "_message_type": "2", "_google.a": "3", "_gcm.b": "4", "_": "5", "to": "6"} == strings(
        PushMessage(title="t", body="b", data=data)
    )


@given(st.text(max_size=200), st.text(max_size=4_000), st.dictionaries(st.text(max_size=20), st.text(max_size=2_000)))
def test_every_message_fits(title, body, data):
    """Firebase takes 4,096 bytes of texts and data."""
    message = made(title=title, body=body, data=data)
    taken = {"notification": message.get("notification"), "data": message.get("data")}

    assert len(json.dumps(taken, ensure_ascii=False).encode()) <= 4_096


def test_the_least_message_has_a_title_and_a_target():
    """Nothing can be wrong with it but the target."""
    assert {"fid": "x", "notification": {"title": "-"}} == json.loads(str(least_message("fid", "x")))
