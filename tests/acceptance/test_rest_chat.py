"""Chat over real HTTP: what a page reads when it comes, what it may change, and what a third user never may."""

from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.acceptance.wire_socket import connected
from tocsin.rest.app import is_api_path


@pytest.fixture
def users():
    return [f"{name}-{uuid4()}" for name in ("alice", "bob", "eve")]


@pytest.fixture
def ask(shared_server):
    def ask(who, method, path, expected=200, **options):
        answer = shared_server.http.request(method, f"/api/chat{path}", headers=shared_server.bearer(who), **options)
        assert answer.status_code == expected, answer.text
        return answer.json() if answer.content else None

    return ask


@pytest.fixture
def say(ask):
    def say(who, to, text, expected=201, **fields):
        return ask(who, "POST", "/messages", expected, json={"to_user_id": to, "message": text, **fields})

    return say


def test_a_conversation_from_both_ends(ask, say, users):
    """Sent over HTTP, read over HTTP, with pages, unread counts and links to files."""
    alice, bob, _ = users
    file = {"url": "https://files.example/1", "name": "사진.png", "type": "image/png", "size": 5}
    first = say(alice, bob, "안녕 👋", client_msg_id="c-1")
    assert first == say(alice, bob, "안녕 👋", client_msg_id="c-1")
    say(bob, alice, "", attachments=[file])
    last = say(bob, alice, "<b>bold</b>")
    page = ask(alice, "GET", "/messages", params={"with": bob})
    (listed,) = ask(alice, "GET", "/conversations")["conversations"]

    assert ["안녕 👋", "", "<b>bold</b>"] == [one["message"] for one in page["messages"]]
    assert [file] == page["messages"][1]["attachments"]
    assert (False, False) == (page["has_before"], page["has_after"])
    assert (bob, 2, last) == (listed["user_id"], listed["unread"], listed["last_message"])
    older = ask(bob, "GET", "/messages", params={"with": alice, "before": last["id"], "limit": 1})
    assert ([""], True, True) == (
        [one["message"] for one in older["messages"]],
        older["has_before"],
        older["has_after"],
    )
    assert {"message_id": last["id"]} == ask(alice, "PUT", f"/conversations/{bob}/read")
    assert 0 == ask(alice, "GET", "/conversations")["unread"]


@pytest.mark.parametrize("name", ["acme/7", "https://id.example/7", "a?b#c", "50%", "a b"])
def test_any_user_id_may_stand_in_a_path(ask, say, users, name):
    """As encodeURIComponent writes it: whoever can write can be answered and blocked."""
    alice, bob = users[0], f"{name} {users[1]}"
    made = say(bob, alice, "hello")
    path = quote(bob, safe="")

    assert {"message_id": made["id"]} == ask(alice, "PUT", f"/conversations/{path}/read")
    ask(alice, "PUT", f"/blocks/{path}", 204)
    assert [bob] == ask(alice, "GET", "/blocks")["user_ids"]
    ask(alice, "DELETE", f"/blocks/{path}", 204)
    assert [] == ask(alice, "GET", "/blocks")["user_ids"]


async def test_what_is_changed_over_http_is_heard_on_sockets(shared_server, ask, say, users):
    """Edited, read and deleted: both sides hear each; a device's ack delivers."""
    alice, bob, _ = users
    url, mint = shared_server.url, shared_server.mint
    async with connected(url, "/chat", mint(alice)) as hers, connected(url, "/chat", mint(bob)) as his:
        made = say(alice, bob, "frist")
        received = await his.payload("/chat", "message_received")
        await his.ask("/chat", "ack", {"seq": received["seq"]})
        delivered = await hers.payload("/chat", "message_delivered")
        ask(alice, "PATCH", f"/messages/{made['id']}", json={"message": "first"})
        edited = await his.payload("/chat", "message_edited")
        ask(bob, "PUT", f"/conversations/{alice}/read")
        read = await hers.payload("/chat", "message_read")
        ask(alice, "DELETE", f"/messages/{made['id']}", 204)
        deleted = await his.payload("/chat", "message_deleted")

    assert {made["id"]} == {one["message_id"] for one in (delivered, read, deleted)}
    assert ("first", True) == (edited["message"], edited["edited_at"] is not None)
    (shown,) = ask(bob, "GET", "/messages", params={"with": alice})["messages"]
    assert ("", deleted["deleted_at"], read["read_at"], delivered["delivered_at"]) == tuple(
        shown[name] for name in ("message", "deleted_at", "read_at", "delivered_at")
    )


def test_a_third_user_sees_and_changes_nothing(ask, say, users):
    """Another's message is a missing one, and another's conversation an empty one."""
    alice, bob, eve = users
    made = say(alice, bob, "secret")

    for who in (alice, bob):
        assert [] == ask(eve, "GET", "/messages", params={"with": who})["messages"]
        assert {"message_id": None} == ask(eve, "PUT", f"/conversations/{who}/read")
    ask(eve, "GET", "/messages", 404, params={"with": alice, "around": made["id"]})
    ask(eve, "PATCH", f"/messages/{made['id']}", 404, json={"message": "mine"})
    ask(eve, "DELETE", f"/messages/{made['id']}", 404)
    ask(bob, "DELETE", f"/messages/{made['id']}", 404)
    assert [] == ask(eve, "GET", "/conversations")["conversations"]
    assert 1 == ask(bob, "GET", "/conversations")["unread"]


def test_blocks(ask, say, users):
    """Refused with a reason, listed, and ended."""
    alice, bob, _ = users
    ask(alice, "PUT", f"/blocks/{bob}", 204)
    ask(alice, "PUT", f"/blocks/{alice}", 422)

    assert {"user_ids": [bob]} == ask(alice, "GET", "/blocks")
    assert "forbidden" == say(bob, alice, "hello?", 403)["code"]
    assert "forbidden" == say(alice, bob, "hello", 403)["code"]
    ask(alice, "DELETE", f"/blocks/{bob}", 204)
    say(bob, alice, "hello!")


@pytest.mark.parametrize(
    "fields",
    [
        {"message": ""},
        {"message": "m" * 8_001},
        {"message": "x", "ciphertext": {}},
        {"message": "", "ciphertext": {}},
        {"ciphertext": {}},
        {"message": "", "attachments": [{"url": "javascript:alert(1)"}]},
        {"message": "", "attachments": [{"url": "https://x.example", "html": "<b>"}]},
        {"message": "x", "from_user_id": 7},
        {"message": "x", "timestamp": "2026-01-01T00:00:00Z"},
    ],
)
def test_what_breaks_a_rule_is_refused(ask, users, fields):
    """Nothing is stored of it; sender and time are the server's to say."""
    alice, bob, _ = users
    ask(alice, "POST", "/messages", 422, json={"to_user_id": bob, **fields})

    assert [] == ask(alice, "GET", "/messages", params={"with": bob})["messages"]


def test_one_anchor_at_most(ask, users):
    """Which of two counts would be anybody's guess."""
    alice, bob, _ = users
    ask(alice, "GET", "/messages", 422, params={"with": bob, "before": "a", "after": "b"})


def test_every_route_is_known_beside_a_host(shared_server):
    """A host's application gets what is not in here: a route that is missing would be its 404."""
    paths = shared_server.service.rest.openapi()["paths"]

    assert [] == [path for path in paths if not is_api_path(path.replace("{", "").replace("}", ""))]
