"""Devices and topics over a real connection: the guide's "Firebase Cloud Messaging (FCM)"."""

import itertools
import logging
import re

import pytest

TOKEN = "fMEGG8-JBcAPA91bHun4MxP5egoKMwt2KZFBaFUH:"
PATHS = ["register-device", "unregister-device", "unregister-all", "subscribe-topic", "unsubscribe-topic"]
_users = itertools.count(1)


@pytest.fixture
def user():
    return f"user {next(_users)}"


@pytest.fixture
def token(user):
    """A token that no other test has."""
    return f"{TOKEN}{user.replace(' ', '-')}-wxyz"


def post(server, user, path, body=None, **headers):
    return server.http.post(f"/api/fcm/{path}", headers=server.bearer(user) | headers, json=body)


def register(server, user, token, **fields):
    return post(server, user, "register-device", {"token": token, "platform": "android"} | fields)


def listed(server, user):
    return server.http.get("/api/fcm/device-list", headers=server.bearer(user)).json()


def test_a_device_is_registered_listed_and_removed(shared_server, user, token):
    """The guide's endpoints in turn; the token is masked in every answer."""
    answer = register(shared_server, user, token, device_name="민아의 폰")
    device = answer.json()

    assert answer.status_code == 201
    assert device | {"platform": "android", "device_name": "민아의 폰", "kind": "token", "token": "…wxyz"} == device
    assert listed(shared_server, user) == {"devices": [device], "topics": []}
    assert post(shared_server, user, "unregister-device", {"token": token}).json() == {"removed": 1}
    assert listed(shared_server, user) == {"devices": [], "topics": []}


def test_registering_again_is_one_device(shared_server, user, token):
    """An app does so at each start: the same id, the new name, seen later."""
    first = register(shared_server, user, token, device_name="old").json()
    again = register(shared_server, user, token, device_name="new").json()
    (device,) = listed(shared_server, user)["devices"]

    assert device == again
    assert (device["id"], device["created_at"], device["device_name"]) == (first["id"], first["created_at"], "new")
    assert device["last_seen_at"] >= first["last_seen_at"]


def test_a_phone_that_changed_hands_is_its_new_users(shared_server, user, token):
    """The former user has it no more and can't remove it; the new one learns nothing of the former."""
    hers = register(shared_server, user, token, device_name="hers").json()
    his = register(shared_server, f"{user} b", token).json()

    assert listed(shared_server, user)["devices"] == []
    assert listed(shared_server, f"{user} b")["devices"] == [his]
    assert his["id"] != hers["id"]
    assert his["device_name"] is None
    assert post(shared_server, user, "unregister-device", {"token": token}).status_code == 404


def test_anothers_device_answers_as_a_missing_one(shared_server, user, token):
    """Nobody learns whether somebody registered a token: status, body and headers are the same."""
    register(shared_server, user, token)
    foreign, missing = (
        post(shared_server, f"{user} b", "unregister-device", {"token": one}) for one in (token, f"{token}-missing")
    )

    assert foreign.status_code == missing.status_code == 404
    assert foreign.content == missing.content
    assert [name for name in foreign.headers if name != "date"] == [name for name in missing.headers if name != "date"]
    assert len(listed(shared_server, user)["devices"]) == 1


def test_another_users_devices_and_topics_are_out_of_reach(shared_server, user, token):
    """Unregister-all and unsubscribe touch one's own, whatever scope the token has."""
    register(shared_server, user, token)
    post(shared_server, user, "subscribe-topic", {"topic": "news"})
    thief = shared_server.bearer(f"{user} thief", "publish admin")
    for path, body in (("unregister-all", None), ("unsubscribe-topic", {"topic": "news"})):
        shared_server.http.post(f"/api/fcm/{path}", headers=thief, json=body)
    seen = shared_server.http.get("/api/fcm/device-list", headers=thief).json()

    assert seen == {"devices": [], "topics": []}
    assert len(listed(shared_server, user)["devices"]) == 1
    assert listed(shared_server, user)["topics"] == ["news"]


@pytest.mark.parametrize("path", PATHS)
def test_the_token_alone_says_whose_it_is(shared_server, user, token, path):
    """A user id in the body is refused, not believed; so is one in the query of the list."""
    whole = {
        "register-device": {"token": token, "platform": "web"},
        "unregister-device": {"token": token},
        "unregister-all": {},
    }.get(path, {"topic": "news"})
    answer = post(shared_server, user, path, whole | {"user_id": f"{user} b"})

    assert answer.status_code == 422
    assert "user_id" in answer.json()["detail"]
    assert listed(shared_server, f"{user} b") == {"devices": [], "topics": []}


@pytest.mark.parametrize("path", [*PATHS, "device-list"])
def test_nothing_without_a_token(shared_server, path):
    """Every endpoint asks for who is calling."""
    method = "GET" if path == "device-list" else "POST"
    answer = shared_server.http.request(method, f"/api/fcm/{path}", json={"token": "t", "platform": "ios"})

    assert answer.status_code == 401


def test_one_device_too_many_replaces_the_oldest(start_server):
    """A new phone always works; what goes is what has not been seen for longest."""
    server = start_server(limit_user_devices=2)
    for number in (1, 2, 1, 3):
        assert register(server, 7, f"{TOKEN}{number}").status_code == 201

    assert [device["token"] for device in listed(server, 7)["devices"]] == ["…UH:3", "…UH:1"]


def test_all_devices_are_removed_at_once(shared_server, user, token):
    """The answer says how many; topics stay."""
    for number in range(3):
        register(shared_server, user, f"{token}{number}")
    post(shared_server, user, "subscribe-topic", {"topic": "news"})

    assert post(shared_server, user, "unregister-all").json() == {"removed": 3}
    assert post(shared_server, user, "unregister-all", {}).json() == {"removed": 0}
    assert listed(shared_server, user) == {"devices": [], "topics": ["news"]}


def test_topics_are_followed_and_left(shared_server, user):
    """Both are idempotent and answer with the state that holds now."""
    for topic in ("weather", "news", "news"):
        answer = post(shared_server, user, "subscribe-topic", {"topic": topic})
        assert (answer.status_code, answer.json()) == (200, {"topic": topic, "subscribed": True})
    for _ in range(2):
        answer = post(shared_server, user, "unsubscribe-topic", {"topic": "weather"})
        assert (answer.status_code, answer.json()) == (200, {"topic": "weather", "subscribed": False})

    assert listed(shared_server, user)["topics"] == ["news"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("register-device", {"token": "t"}, "platform"),
        ("register-device", {"platform": "ios"}, "token"),
        ("register-device", {"token": "t", "platform": "windows"}, "platform"),
        ("register-device", {"token": "", "platform": "ios"}, "token"),
        ("register-device", {"token": "x" * 4_097, "platform": "ios"}, "token"),
        ("register-device", {"token": "secret 토큰", "platform": "ios"}, "token"),
        ("register-device", {"token": "secret\n", "platform": "ios"}, "token"),
        ("register-device", {"token": 7, "platform": "ios"}, "token"),
        ("register-device", {"token": "t", "platform": "ios", "kind": "apns"}, "kind"),
        ("register-device", {"token": "t", "platform": "ios", "device_name": ""}, "device_name"),
        ("register-device", {"token": "t", "platform": "ios", "device_name": "x" * 101}, "device_name"),
        ("register-device", {"token": "t", "platform": "ios", "device_name": "nul\0"}, "device_name"),
        ("register-device", {"token": "t", "platform": "ios", "id": "mine"}, "id"),
        ("unregister-device", {}, "token"),
        ("unregister-device", {"token": ["secret"]}, "token"),
        ("subscribe-topic", {"topic": ""}, "topic"),
        ("subscribe-topic", {"topic": "x" * 901}, "topic"),
        ("subscribe-topic", {"topic": "/topics/news"}, "topic"),
        ("unsubscribe-topic", {"topic": "소식"}, "topic"),
    ],
)
def test_what_breaks_a_rule_is_refused(shared_server, user, path, body, field):
    """The detail names the field and repeats no token; nothing is stored."""
    answer = post(shared_server, user, path, body)

    assert answer.status_code == 422
    assert field in answer.json()["detail"]
    assert "secret" not in answer.text
    assert listed(shared_server, user) == {"devices": [], "topics": []}


def test_the_longest_token_and_topic_pass(shared_server, user):
    """4,096 and 900 characters."""
    answer = register(shared_server, user, "x" * 4_096, platform="ios", kind="fid")

    assert (answer.status_code, answer.json()["kind"]) == (201, "fid")
    assert post(shared_server, user, "subscribe-topic", {"topic": "x" * 900}).status_code == 200


def test_writes_take_a_key(shared_server, user, token):
    """A repeat gets the first answer, byte for byte, and changes nothing; another request under the key is refused."""
    bodies = {
        "register-device": {"token": token, "platform": "ios"},
        "subscribe-topic": {"topic": "news"},
        "unsubscribe-topic": {"topic": "news"},
        "unregister-device": {"token": token},
        "unregister-all": None,
    }
    for path, body in bodies.items():
        key = {"Idempotency-Key": f"{path} {user}"}
        first, again = (post(shared_server, user, path, body, **key) for _ in range(2))

        assert first.status_code in {200, 201}
        assert (first.status_code, first.content) == (again.status_code, again.content)
    used = {"Idempotency-Key": f"subscribe-topic {user}"}
    refused = post(shared_server, user, "subscribe-topic", {"topic": "other"}, **used)

    assert (refused.status_code, refused.json()["code"]) == (422, "key_reused")
    assert listed(shared_server, user) == {"devices": [], "topics": []}


def test_no_log_shows_a_token(shared_server, user, token, caplog):
    """Neither of what was accepted nor of what was refused."""
    caplog.set_level(logging.DEBUG)
    register(shared_server, user, token)
    register(shared_server, user, f"{token} broken")
    post(shared_server, f"{user} b", "unregister-device", {"token": token})
    post(shared_server, user, "unregister-device", {"token": token})

    assert not re.search(re.escape(token[:-4]), caplog.text)
