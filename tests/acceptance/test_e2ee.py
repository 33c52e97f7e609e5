"""The server's part of end-to-end encryption over a real connection: shapes, sizes, rights, claims, what is told."""

import gzip
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from tests.acceptance.wire_socket import connected
from tocsin.rest import static_files

KEYS = "/api/e2ee/keys"
INBOX = "/api/e2ee/inbox"
SEND = "/api/e2ee/to-device"
FRESH = count()


def device(device_id="PHONE", one_time_keys=0, **fields):
    keys = {"device_id": device_id, "keys": {f"ed25519:{device_id}": "identity"}}
    one_time = {f"signed_curve25519:{number:04}": {"key": f"key {number}"} for number in range(one_time_keys)}
    return {"device_id": device_id, "device_keys": keys, "one_time_keys": one_time, **fields}


@pytest.fixture
def alice(shared_server):
    """Return a user whose phone is known, with ten one-time keys."""
    user = f"alice {next(FRESH)}"
    assert 200 == post(shared_server, user, KEYS, device(one_time_keys=10)).status_code
    return user


@pytest.fixture
def bob():
    return f"bob {next(FRESH)}"


def post(server, user, path, body, **headers):
    return server.http.post(path, headers=server.bearer(user) | headers, json=body)


def sealed(user, device_id="PHONE", content=None):
    content = {"body": "sealed"} if content is None else content
    return {
        "type": "m.room.encrypted",
        "messages": [{"user_id": user, "device_id": device_id, "content": content}],
    }


def waiting(server, user, device_id="PHONE"):
    answer = server.http.get(INBOX, headers=server.bearer(user), params={"device_id": device_id})
    return answer.json()["messages"]


def test_anybody_finds_a_users_devices(shared_server, alice, bob):
    """With the keys as they were uploaded; who does not encrypt has none."""
    answer = post(shared_server, bob, f"{KEYS}/query", {"user_ids": [alice, bob]})

    theirs, own = answer.json()["users"]
    assert [device()["device_keys"]] == [one["device_keys"] for one in theirs["devices"]]
    assert {"user_id": bob, "devices": []} == own


def test_a_hundred_claims_at_once_never_get_one_key_twice(shared_server, bob):
    """Over a hundred requests that are under way together; with the last key gone the fallback key comes."""
    alice = f"alice {next(FRESH)}"
    fallback = {"signed_curve25519:F": {"key": "fallback"}}
    post(shared_server, alice, KEYS, device(one_time_keys=95, fallback_keys=fallback))
    wanted = {"devices": [{"user_id": alice, "device_id": "PHONE"}]}

    def claim(_):
        return post(shared_server, bob, f"{KEYS}/claim", wanted).json()["keys"][0]

    with ThreadPoolExecutor(20) as threads:
        claimed = list(threads.map(claim, range(100)))

    once = [one["key_id"] for one in claimed if not one["is_fallback"]]
    assert 95 == len(once) == len(set(once))
    assert ["signed_curve25519:F"] * 5 == [one["key_id"] for one in claimed if one["is_fallback"]]
    params = {"device_id": "PHONE"}
    left = shared_server.http.get(KEYS, headers=shared_server.bearer(alice), params=params).json()
    assert {"one_time_keys": 0, "has_unused_fallback_key": False} == left


def test_what_is_sealed_reaches_its_device_and_no_other_user(shared_server, alice, bob):
    """The sender is the token's; what was taken is gone."""
    assert {"sent": 1} == post(shared_server, bob, SEND, sealed(alice)).json()

    [one] = waiting(shared_server, alice)
    assert (bob, "m.room.encrypted", {"body": "sealed"}) == (one["from_user_id"], one["type"], one["content"])
    foreign = shared_server.http.get(INBOX, headers=shared_server.bearer(bob), params={"device_id": "PHONE"})
    assert 404 == foreign.status_code
    taken = {"device_id": "PHONE", "up_to": one["id"]}
    drop = {"method": "DELETE", "url": INBOX, "json": taken}
    assert {"dropped": 0} == shared_server.http.request(**drop, headers=shared_server.bearer(bob)).json()
    assert {"dropped": 1} == shared_server.http.request(**drop, headers=shared_server.bearer(alice)).json()
    assert [] == waiting(shared_server, alice)


async def test_a_device_hears_that_something_waits(shared_server, alice, bob):
    """Live and at most once: the content waits in the inbox, and stands in no stream."""
    async with connected(shared_server.url, "/chat", shared_server.mint(alice)) as socket:
        post(shared_server, bob, SEND, sealed(alice))

        assert {"device_id": "PHONE"} == await socket.payload("/chat", "to_device")
    stream = shared_server.http.get("/api/stream/chat", headers=shared_server.bearer(alice)).json()
    assert [] == stream["events"]


async def test_those_who_talk_to_a_user_hear_of_a_new_device(shared_server, alice, bob):
    """So does the user; repeating the same upload is no news."""
    post(shared_server, alice, "/api/chat/messages", {"to_user_id": bob, "message": "Hi"})
    async with (
        connected(shared_server.url, "/chat", shared_server.mint(alice)) as own,
        connected(shared_server.url, "/chat", shared_server.mint(bob)) as peer,
    ):
        post(shared_server, alice, KEYS, device())
        post(shared_server, alice, KEYS, device("LAPTOP"))

        assert {"user_id": alice} == await own.payload("/chat", "devices_changed")
        assert {"user_id": alice} == await peer.payload("/chat", "devices_changed")
        post(shared_server, bob, SEND, sealed(alice))
        await own.payload("/chat", "to_device")
        assert [] == own.untaken("/chat")


def test_a_repeated_send_happens_once(shared_server, alice, bob):
    """Under one idempotency key."""
    key = {"Idempotency-Key": "txn-1"}

    first = post(shared_server, bob, SEND, sealed(alice), **key)
    again = post(shared_server, bob, SEND, sealed(alice), **key)

    assert first.json() == again.json() == {"sent": 1}
    assert 1 == len(waiting(shared_server, alice))


def test_a_device_is_removed_by_its_user_alone(shared_server, alice, bob):
    """Another's answers as a missing one."""
    path = "/api/e2ee/devices/PHONE"

    assert 404 == shared_server.http.delete(path, headers=shared_server.bearer(bob)).status_code
    assert 204 == shared_server.http.delete(path, headers=shared_server.bearer(alice)).status_code
    assert 404 == shared_server.http.delete(path, headers=shared_server.bearer(alice)).status_code


def test_nothing_passes_between_users_of_whom_one_blocks_the_other(shared_server, alice, bob):
    """No devices are seen, no key is claimed, nothing is delivered."""
    blocked = shared_server.http.put(f"/api/chat/blocks/{bob}", headers=shared_server.bearer(alice))
    assert 204 == blocked.status_code

    found = post(shared_server, bob, f"{KEYS}/query", {"user_ids": [alice]}).json()["users"]
    claimed = post(shared_server, bob, f"{KEYS}/claim", {"devices": [{"user_id": alice, "device_id": "PHONE"}]})
    sent = post(shared_server, bob, SEND, sealed(alice))

    assert [{"user_id": alice, "devices": []}] == found
    assert {"keys": []} == claimed.json()
    assert {"sent": 0} == sent.json()
    assert [] == waiting(shared_server, alice)


def test_another_identity_under_a_known_device_id_is_refused(shared_server, alice):
    """Even to its own user: a device whose keys change is another device."""
    other = device()
    other["device_keys"]["keys"] = {"ed25519:PHONE": "another"}

    answer = post(shared_server, alice, KEYS, other)

    assert (409, "conflict") == (answer.status_code, answer.json()["code"])


def test_claims_have_a_rate(shared_server, alice):
    """Whoever claims without end is told to wait, and uses up nothing more."""
    greedy = f"greedy {next(FRESH)}"
    wanted = {"devices": [{"user_id": alice, "device_id": "PHONE"}]}
    answers = [post(shared_server, greedy, f"{KEYS}/claim", wanted) for _ in range(700)]

    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {"rate_limited"} == {answer.json()["code"] for answer in refused}
    assert int(refused[0].headers["retry-after"]) >= 1


BAD = {
    "no body": (KEYS, None, 415),
    "unknown field": (KEYS, device(user_id="somebody"), 422),
    "bad device id": (KEYS, device("PHONE/1"), 422),
    "long device id": (KEYS, device("D" * 65), 422),
    "keys of another device": (KEYS, {**device("OTHER"), "device_id": "PHONE"}, 422),
    "no identity": (KEYS, {"device_id": "PHONE", "device_keys": {"device_id": "PHONE", "keys": {}}}, 422),
    "unknown kind of key": (KEYS, device(one_time_keys=0) | {"one_time_keys": {"rsa:1": {}}}, 422),
    "key that is no object": (KEYS, device() | {"one_time_keys": {"signed_curve25519:1": "key"}}, 422),
    "too many keys": (KEYS, device(one_time_keys=201), 422),
    "two fallback keys": (KEYS, device(fallback_keys={f"signed_curve25519:{n}": {} for n in "ab"}), 422),
    "long keys": (KEYS, device(one_time_keys=0) | {"one_time_keys": {"signed_curve25519:1": {"k": "x" * 9_000}}}, 413),
    "keys of nobody": (KEYS, {"device_id": "UNKNOWN", "one_time_keys": {}}, 404),
    "no users": (f"{KEYS}/query", {"user_ids": []}, 422),
    "too many users": (f"{KEYS}/query", {"user_ids": list(range(21))}, 422),
    "no devices": (f"{KEYS}/claim", {"devices": []}, 422),
    "all devices": (f"{KEYS}/claim", {"devices": [{"user_id": 1, "device_id": "*"}]}, 422),
    "to all devices": (SEND, sealed(1, "*"), 422),
    "content that is no object": (SEND, sealed(1, content="text"), 422),
    "long content": (SEND, sealed(1, content={"body": "x" * 16_384}), 413),
    "somebody else's name": (SEND, sealed(1) | {"from_user_id": 2}, 422),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_request_is_refused(shared_server, bob, case):
    """With a problem that names the field and repeats no value."""
    path, body, status = BAD[case]
    headers = shared_server.bearer(bob)
    answer = (
        shared_server.http.post(path, headers=headers, json=body)
        if body
        else shared_server.http.post(path, headers=headers, content=b"{}")
    )

    assert status == answer.status_code, answer.text
    assert "xxx" not in answer.text
    assert "application/problem+json" == answer.headers["content-type"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", KEYS),
        ("GET", f"{KEYS}?device_id=A"),
        ("POST", f"{KEYS}/query"),
        ("POST", f"{KEYS}/claim"),
        ("POST", SEND),
        ("GET", f"{INBOX}?device_id=A"),
        ("DELETE", INBOX),
        ("DELETE", "/api/e2ee/devices/A"),
    ],
)
def test_every_route_needs_a_token(shared_server, method, path):
    """Also the public keys: who has which devices is nobody's business."""
    assert 401 == shared_server.http.request(method, path, json={} if method != "GET" else None).status_code


def test_the_webassembly_is_served_compressed(tmp_path, monkeypatch, start_server):
    """Under its type, to whoever asks: to unpack it for each would fill the memory; a browser asks for its copy."""
    folder = tmp_path / "static" / "js"
    folder.mkdir(parents=True)
    (folder / "e2ee.wasm.gz").write_bytes(gzip.compress(b"wasm " * 1_000))
    monkeypatch.setattr(static_files, "STATIC", tmp_path / "static")
    http = start_server().http

    packed = http.get("/js/e2ee.wasm")
    plain = http.get("/js/e2ee.wasm", headers={"Accept-Encoding": "identity"})
    known = http.get("/js/e2ee.wasm", headers={"If-None-Match": packed.headers["etag"]})

    assert b"wasm " * 1_000 == packed.content == plain.content
    assert {"gzip"} == {answer.headers["content-encoding"] for answer in (packed, plain)}
    assert {"application/wasm"} == {answer.headers["content-type"] for answer in (packed, plain)}
    assert 304 == known.status_code
    assert b"" == known.content
