"""What is kept of a user, over REST: given out whole to whom it belongs, erased for good."""

import asyncio
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import httpx
import orjson
import pytest
import typer

from tests.acceptance.wire_socket import connected, eventually
from tests.contract.conftest import everything
from tests.processes import environment
from tocsin.adapters.sql.chat_store import SqlChat
from tocsin.adapters.sql.export import SqlExport
from tocsin.adapters.sql.migrate import upgrade
from tocsin.cli.users import export
from tocsin.rest import users

NOTIFICATION = {"type": "t", "title": "A title", "message": "Some words"}


@pytest.fixture
def hasty(start_server):
    """A server whose erasures need not settle."""
    server = start_server()
    server.service.erasure_jobs._settle_ms = 0
    server.service.erasures.rounds._longest_s = 0.05
    return server


def publish(server, user, **fields):
    answer = server.http.post(
        "/api/notifications", json={**NOTIFICATION, "user_id": user, **fields}, headers=server.bearer("shop", "publish")
    )
    assert 201 == answer.status_code, answer.text
    return answer.json()


def say(server, sender, recipient, text):
    answer = server.http.post(
        "/api/chat/messages", json={"to_user_id": recipient, "message": text}, headers=server.bearer(sender)
    )
    assert 201 == answer.status_code, answer.text
    return answer.json()


def erasure(server, user):
    return server.http.get(f"/api/users/{user}/erasure", headers=server.bearer("shop", "publish"))


async def erased(server, user):
    answer = server.http.delete(f"/api/users/{user}", headers=server.bearer("shop", "publish"))
    assert 202 == answer.status_code, answer.text
    await eventually(lambda: erasure(server, user).status_code == 404)


@pytest.mark.parametrize("user", ["acme/7", "50%2F"])
async def test_whatever_the_id_holds(hasty, user):
    """An id is any printable text: the data of `acme/7` is given out and erased as that of anybody."""
    publish(hasty, user)
    path, headers = quote(user, safe=""), hasty.bearer("shop", "publish")
    told = hasty.http.get(f"/api/users/{path}/export", headers=headers).json()
    asked = hasty.http.delete(f"/api/users/{path}", headers=headers)

    assert (user, 1) == (told["user_id"], len(told["notifications"]))
    assert (202, user) == (asked.status_code, asked.json()["user_id"])
    await eventually(lambda: erasure(hasty, path).status_code == 404)
    assert [] == hasty.http.get("/api/notifications", headers=hasty.bearer(user)).json()["notifications"]


def test_a_slash_too_many_names_nobody(shared_server):
    """It must not answer as if somebody's erasure had begun."""
    for path in ("/api/users/7/", "/api/users//", "/api/users/7/erasure/"):
        assert 404 == shared_server.http.delete(path, headers=shared_server.bearer("shop", "publish")).status_code
    for path in ("/api/users/7/export", "/api/users/7/erasure"):
        assert 405 == shared_server.http.delete(path, headers=shared_server.bearer("shop", "publish")).status_code


async def test_erasing_cuts_the_user_and_sends_peers_to_fetch_anew(hasty):
    """Alice's socket is closed, Bob's is told to fetch the state, and no table names her."""
    for number in range(3):
        publish(hasty, "alice-7f3a", title=str(number))
    say(hasty, "alice-7f3a", "bob", "a secret")
    async with (
        connected(hasty.url, "/notifications", hasty.mint("alice-7f3a")) as alice,
        connected(hasty.url, "/chat", hasty.mint("bob")) as bob,
    ):
        await erased(hasty, "alice-7f3a")
        await alice.closed.wait()
        told = await bob.payload("/chat", "resync")
    history = hasty.http.get("/api/chat/conversations", headers=hasty.bearer("bob")).json()["conversations"]
    left = hasty.call(everything(hasty.service.store))

    assert "pruned" == told["reason"]
    assert [""] == [one["last_message"]["message"] for one in history]
    assert "alice-7f3a" not in left
    assert "a secret" not in left


async def test_who_was_blocked_reads_no_receipt_in_an_export(hasty):
    """As in the chat: the sender's own shows none of after the block, the reader's does."""
    chats, store = SqlChat(hasty.service.store), hasty.service.store
    read, unread = (say(hasty, "alice", "bob", text) for text in ("before", "after"))
    hasty.call(store.mark_message_read("bob", read["id"]))
    await asyncio.sleep(0.002)
    hasty.call(chats.block("bob", "alice"))
    hasty.call(store.mark_message_read("bob", unread["id"]))

    def receipts(user):
        told = hasty.http.get(f"/api/users/{user}/export", headers=hasty.bearer(user)).json()["messages"]
        return [(one["read_at"] is not None, one["delivered_at"] is not None) for one in told]

    assert [(True, True), (False, False)] == receipts("alice")
    assert [(True, True)] * 2 == receipts("bob")
    hasty.call(chats.unblock("bob", "alice"))
    assert [(True, True)] * 2 == receipts("alice")


@pytest.mark.parametrize("published", [0, 1, 9])
async def test_who_comes_back_with_an_old_cursor_is_told_to_fetch(hasty, published):
    """However much came since: a cursor of before the erasure is of no stream. From there on all is live."""
    for _ in range(3):
        publish(hasty, "alice")
    epoch = hasty.service.store.epoch
    await erased(hasty, "alice")
    for _ in range(published):
        publish(hasty, "alice", title="of the new life")
    async with connected(hasty.url, "/notifications", hasty.mint("alice"), epoch=epoch, last_seq=3) as socket:
        told = await socket.payload("/notifications", "resync")
        inbox = hasty.http.get("/api/notifications", headers=hasty.bearer("alice")).json()
        publish(hasty, "alice", title="the next")
        heard = await socket.payload("/notifications", "notification")

    assert ("pruned", inbox["seq"]) == (told["reason"], told["seq"])
    assert ["of the new life"] * published == [one["title"] for one in inbox["notifications"]]
    assert ("the next", inbox["seq"] + 1) == (heard["title"], heard["seq"])


@pytest.mark.parametrize(
    ("scope", "status"),
    [("", 403), ("admin", 403)],
    ids=["the user's own token", "a dashboard's"],
)
def test_only_a_back_end_erases(shared_server, scope, status):
    """A stolen token of a user's must not wipe what is theirs for good."""
    answer = shared_server.http.delete("/api/users/ann", headers=shared_server.bearer("ann", scope))

    assert status == answer.status_code


def test_a_user_gets_the_own_export_and_nobody_elses(shared_server):
    """A foreign id answers as a missing one does; a back end gets anybody's."""
    publish(shared_server, "ann", title="hers")
    path = "/api/users/ann/export"
    own = shared_server.http.get(path, headers=shared_server.bearer("ann"))
    foreign = shared_server.http.get(path, headers=shared_server.bearer("bea"))
    backend = shared_server.http.get(path, headers=shared_server.bearer("shop", "publish"))

    assert ["hers"] == [one["title"] for one in own.json()["notifications"]]
    assert 404 == foreign.status_code
    assert own.json().keys() == backend.json().keys()


def test_an_export_has_all_and_no_secret(shared_server):
    """Both sides of conversations, the log, devices without their tokens."""
    say(shared_server, "cem", "dag", "from him")
    say(shared_server, "dag", "cem", "to him")
    say(shared_server, "dag", "eva", "of others")
    device = {"token": "secret-token-of-a-device", "platform": "ios"}
    shared_server.http.post("/api/fcm/register-device", json=device, headers=shared_server.bearer("cem"))
    shared_server.http.post("/api/fcm/subscribe-topic", json={"topic": "news"}, headers=shared_server.bearer("cem"))
    answer = shared_server.http.get("/api/users/cem/export", headers=shared_server.bearer("cem"))
    export = orjson.loads(answer.content)

    assert {"from him", "to him"} == {one["message"] for one in export["messages"]}
    assert {"message_sent", "message_received"} == {one["event"] for one in export["events"]}
    assert ["news"] == [one["topic"] for one in export["topics"]]
    assert ["…vice"] == [one["token"] for one in export["devices"]]
    assert b"secret-token" not in answer.content


def test_a_large_export_is_whole(shared_server):
    """More rows than are read at a time; every one comes once, archived ones too."""
    headers = shared_server.bearer("shop", "publish")
    for part in range(2):
        wanted = [{**NOTIFICATION, "user_id": "fay", "title": f"{part}-{number}"} for number in range(300)]
        for one in wanted:
            assert shared_server.http.post("/api/notifications", json=one, headers=headers).status_code == 201
    listed = shared_server.http.get("/api/notifications?limit=40", headers=shared_server.bearer("fay")).json()
    for one in listed["notifications"]:
        path = f"/api/notifications/{one['id']}"
        shared_server.http.patch(path, json={"archived": True}, headers=shared_server.bearer("fay"))
    export = shared_server.http.get("/api/users/fay/export", headers=shared_server.bearer("fay")).json()

    assert {f"{part}-{number}" for part in range(2) for number in range(300)} == {
        one["title"] for one in export["notifications"]
    }
    assert 600 == len(export["notifications"])


# The command line


def tocsin(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-c", "from tocsin.cli import main; main()", *arguments],
        env=environment(folder / "0.db"),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_the_command_erases_beside_a_running_server(server, tmp_path):
    """The server hears of it, cuts the user's sockets and takes the last look."""
    for number in range(3):
        publish(server, "alice-7f3a", title=str(number))
    server.service.erasure_jobs._settle_ms = 0
    async with connected(server.url, "/notifications", server.mint("alice-7f3a")) as socket:
        done = tocsin(tmp_path, "erase", "alice-7f3a", "--yes")
        await socket.closed.wait()

    assert 0 == done.returncode, done.stderr
    assert "erased" in done.stdout
    assert 0 == server.http.get("/api/notifications/stats", headers=server.bearer("alice-7f3a")).json()["total"]


def test_the_command_asks_first(server, tmp_path):
    """Without an answer nothing is erased."""
    publish(server, "ann")
    done = tocsin(tmp_path, "erase", "ann")

    assert 1 == done.returncode
    assert 404 == erasure(server, "ann").status_code
    assert 1 == server.http.get("/api/notifications/stats", headers=server.bearer("ann")).json()["total"]


class Slow:
    """Gives a row of a user, and the next when it is told to."""

    def __init__(self):
        self.goes_on = threading.Event()

    async def parts(self, user_id):
        yield "notifications", [{"user_id": user_id}]
        while not self.goes_on.is_set():  # noqa: ASYNC110 another thread says
            await asyncio.sleep(0.01)
        yield "messages", []


async def test_a_user_has_one_export_at_a_time_and_all_have_four(server):
    """However many come at once: each looks through tables of everybody."""
    slow = server.service.exports._store = Slow()

    def export(user):
        return server.http.get(f"/api/users/{user}/export", headers=server.bearer("shop", "publish"))

    with ThreadPoolExecutor(12) as pool:
        waiting = [pool.submit(export, user) for user in ("ann", "ann", "bob", "cid", "dan")]
        await eventually(lambda: len(server.service.exports._open) == 4)
        await eventually(lambda: sum(one.done() for one in waiting) == 1)
        fifth = await asyncio.to_thread(export, "eve")
        slow.goes_on.set()
        answers = [await asyncio.to_thread(one.result) for one in waiting]

    assert [200, 200, 200, 200, 503] == sorted(answer.status_code for answer in answers)
    assert (503, "10") == (fifth.status_code, fifth.headers["retry-after"])
    assert 200 == export("ann").status_code


async def test_a_client_that_leaves_gives_its_place_up(server, monkeypatch):
    """And one that takes nothing for half an hour."""
    server.service.exports._store = Slow()
    headers = server.bearer("ann")
    with server.http.stream("GET", "/api/users/ann/export", headers=headers) as answer:
        chunks = answer.iter_raw()
        assert next(chunks)
        assert {"ann"} == server.service.exports._open
    await eventually(lambda: not server.service.exports._open)

    monkeypatch.setattr(users, "EXPORT_S", 0.2)
    with (
        pytest.raises(httpx.RemoteProtocolError),
        server.http.stream("GET", "/api/users/ann/export", headers=headers) as answer,
    ):
        for _ in answer.iter_raw():
            pass
    await eventually(lambda: not server.service.exports._open)


def test_the_command_exports_to_a_new_private_file(server, tmp_path):
    """What is there is not written over."""
    publish(server, "ann", title="hers")
    first, again = (tocsin(tmp_path, "export", "ann", "--out", "ann.json") for _ in range(2))
    shown = tocsin(tmp_path, "export", "ann")
    file = tmp_path / "ann.json"

    assert 0 == first.returncode, first.stderr
    assert ["hers"] == [one["title"] for one in json.loads(file.read_text())["notifications"]]
    assert 0o600 == file.stat().st_mode & 0o777
    assert 2 == again.returncode
    assert json.loads(file.read_text())["notifications"] == json.loads(shown.stdout)["notifications"]


@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
def test_an_export_that_fails_leaves_no_file(tmp_path, monkeypatch, error):
    """Half of one is worth nothing, and would stand in the way of the next; a file of somebody else's stays."""

    async def parts(_store, user_id):
        yield "notifications", [{"user_id": user_id}]
        assert out.exists()
        raise error

    out = tmp_path / "ann.json"
    monkeypatch.setenv("TOCSIN_DATABASE_URL", f"sqlite:///{tmp_path}/t.db")
    upgrade(f"{tmp_path}/t.db")
    with monkeypatch.context() as failing:
        failing.setattr(SqlExport, "parts", parts)
        with pytest.raises(type(error)):
            export("ann", out)
    assert not out.exists()
    export("ann", out)
    with pytest.raises(typer.BadParameter):
        export("ann", out)

    assert "ann" == json.loads(out.read_text())["user_id"]
