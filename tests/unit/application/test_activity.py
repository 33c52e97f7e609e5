"""Published events: what the registry lets through."""

from typing import get_type_hints

import orjson
import pytest

from tocsin.application.activity import Activity, check_payload
from tocsin.application.once import Once
from tocsin.domain.errors import Invalid, PayloadTooBig
from tocsin.domain.events import REGISTRY


@pytest.fixture
def activity(store, bus, heard):
    return Activity(store, bus)


async def test_a_durable_event_is_committed_and_heard(activity, heard):
    """It stands in each user's stream, own fields kept."""
    published = await activity.publish(
        "/orders", "order_updated", ["bob", "alice"], {"order_id": 7, "message": "배송", "own": [1]}
    )

    assert published == heard.events
    assert [("alice", 1), ("bob", 1)] == [(event.user_id, event.seq) for event in published]
    payload = orjson.loads(published[0].payload)
    assert payload.pop("timestamp").endswith("Z")
    assert {"order_id": 7, "message": "배송", "own": [1]} == payload


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "Order #7 has been shipped."), ("ko", "주문하신 상품이 출발했어요.")]
)
async def test_what_comes_without_a_message_gets_the_servers_words(store, bus, lang, words):
    """In its language, and only where the event may have a message."""
    activity = Activity(store, bus, lang)
    data = {"order_id": 7, "status": "shipped"}

    [updated] = await activity.publish("/orders", "order_updated", ["alice"], data)
    [worded] = await activity.publish("/orders", "order_updated", ["alice"], data | {"message": ""})
    [moved] = await activity.publish("/orders", "shipment_update", ["alice"], data)

    assert orjson.loads(updated.payload)["message"].startswith(words)
    assert "" == orjson.loads(worded.payload)["message"]
    assert "message" not in orjson.loads(moved.payload)


async def test_a_given_timestamp_stays(activity):
    """Only a missing one is added."""
    (event,) = await activity.publish("/orders", "order_updated", ["alice"], {"timestamp": "2026-01-01T00:00:00Z"})

    assert "2026-01-01T00:00:00Z" == orjson.loads(event.payload)["timestamp"]


async def test_an_ephemeral_event_is_heard_and_not_kept(activity, heard):
    """Presence reaches each user once and no stream."""
    assert [] == await activity.publish("/sns", "user_online", ["alice", "bob", "alice"], {"user_id": 5})

    assert [] == heard.events
    assert [("alice", "user_online", 5), ("bob", "user_online", 5)] == [
        (user_id, event, payload["user_id"]) for user_id, _, event, payload in heard.ephemeral
    ]


@pytest.mark.parametrize(("durable", "kept"), [(True, 1), (False, 0), (None, 1)])
async def test_the_publisher_may_overrule_the_registry(activity, heard, durable, kept):
    """``durable`` decides where it is given."""
    assert kept == len(await activity.publish("/sns", "post_liked", ["alice"], {}, durable=durable))
    assert 1 - kept == len(heard.ephemeral)


@pytest.mark.parametrize(
    ("namespace", "event"),
    [
        ("/orders", "post_liked"),
        ("/nowhere", "order_updated"),
        ("/orders", "connect"),
        ("/notifications", "notification"),
        ("/chat", "message_received"),
        ("/chat", "user_typing"),
    ],
)
async def test_what_is_not_published_is_refused(activity, heard, namespace, event):
    """Neither unknown events nor those that tell of rows of our own can be published."""
    with pytest.raises(Invalid, match=event):
        await activity.publish(namespace, event, ["alice"], {})
    assert [] == heard.events == heard.ephemeral


@pytest.mark.parametrize(
    "data",
    [
        {"post_id": 1.5},
        {"post_id": True},
        {"platforms": "instagram"},
        {"platforms": ["instagram", 1]},
        {"message": None},
        {"timestamp": 0},
        {"seq": 1},
        {"epoch": "e"},
        {"event_id": "x"},
        {"own": object()},
        {"own": 2**64},
        {"own": "\ud800"},
    ],
)
async def test_data_of_the_wrong_kind_is_refused(activity, heard, data):
    """Known fields have their type, the stream's fields are the server's, and all of it is JSON."""
    with pytest.raises(Invalid, match="data"):
        await activity.publish("/sns", "publish_success", ["alice"], data)
    assert [] == heard.events


@pytest.mark.parametrize("kind", [kind for kind in REGISTRY if kind.publishable], ids=lambda kind: kind.name)
def test_every_known_field_is_told_its_type(kind):
    """A refusal says what the field must be, whichever it is."""
    for name in get_type_hints(kind.payload):
        with pytest.raises(
            Invalid, match=rf"^data\.{name} must be (a string|an integer or a string|a list of strings)$"
        ):
            check_payload(kind, {name: None})


@pytest.mark.parametrize("post_id", [1, "p-1"])
async def test_ids_are_numbers_or_texts(activity, post_id):
    """Both forms of an id pass."""
    assert await activity.publish("/sns", "publish_success", ["alice"], {"post_id": post_id, "platforms": ["a", "b"]})


async def test_data_has_a_size(activity):
    """Above 64 KiB encoded it is refused."""
    with pytest.raises(PayloadTooBig):
        await activity.publish("/sns", "post_liked", ["alice"], {"own": "x" * 65_536})


@pytest.mark.parametrize("users", [[], ["alice"] * 1_001])
async def test_an_event_has_one_to_a_thousand_users(activity, users):
    """None and too many are refused."""
    with pytest.raises(Invalid, match="user_ids"):
        await activity.publish("/sns", "post_liked", users, {})


async def test_a_key_publishes_once(activity, heard):
    """A repeat returns the first events and nobody hears again."""
    once = Once("backend", "k", b"f")

    first = await activity.publish("/sns", "post_liked", ["alice"], {}, once=once)

    assert first == await activity.publish("/sns", "post_liked", ["alice"], {}, once=once)
    assert 1 == len(heard.events)
