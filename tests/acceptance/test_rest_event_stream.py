"""``GET /api/stream/{namespace}`` as server-sent events, over real connections."""

import asyncio
import json
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex
from urllib.parse import quote

import httpx
import pytest

from tests.acceptance.wire_socket import connected, eventually
from tests.conftest import SECRET
from tests.processes import environment, serving
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.settings import Settings

PATH = "/api/stream/notifications"
WAIT_S = 30


class Message(dict[str, str]):
    """The fields of one server-sent event."""

    @property
    def title(self) -> str:
        return json.loads(self["data"])["data"]["title"]


class Reader:
    """A client of the stream, which has what a browser's EventSource has: the fields of each event, in turn."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> Message | None:
        """Return the next event, or None at the end of the answer."""
        found = Message()
        async with asyncio.timeout(WAIT_S):
            async for line in self._lines:
                if line == "" and "data" in found:
                    return found
                if not line.startswith(":") and line:
                    name, _, value = line.partition(": ")
                    found[name] = value
        return None

    async def titles(self, number: int) -> list[str]:
        """Return the titles of the next events."""
        return [(await self.next()).title for _ in range(number)]


@asynccontextmanager
async def following(url: str, token: str, last: str | None = None, **query: int) -> AsyncIterator[Reader]:
    """Follow a stream; whatever the answer is."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    if last is not None:
        headers["Last-Event-ID"] = last
    async with (
        httpx.AsyncClient(trust_env=False, timeout=WAIT_S) as http,
        http.stream("GET", f"{url}{PATH}", headers=headers, params=query) as response,
    ):
        yield Reader(response)


async def notify(url: str, token: str, user: str, *titles: str) -> None:
    """Publish notifications to a user, one after another."""
    async with httpx.AsyncClient(trust_env=False, timeout=WAIT_S) as http:
        for title in titles:
            body = {"user_id": user, "type": "t", "title": title, "message": ""}
            done = await http.post(f"{url}/api/notifications", json=body, headers={"Authorization": f"Bearer {token}"})
            assert 201 == done.status_code


@pytest.fixture
def user() -> str:
    """Return a user of one's own."""
    return f"reader {token_hex(4)}"


async def test_what_is_kept_comes_first_and_then_what_is_committed(shared_server, user):
    """In the order of the log, each with an id, the name of the event and the same JSON as the list has."""
    server, shop = shared_server, shared_server.mint("shop", "publish")
    await notify(server.url, shop, user, "kept 1", "종 🔔\n\nkept 2")
    async with following(server.url, server.mint(user)) as reader:
        seen = [await reader.next(), await reader.next()]
        await notify(server.url, shop, "another user", "not yours")
        await notify(server.url, shop, user, "live 1", "live 2")
        seen += [await reader.next(), await reader.next()]
    listed = server.http.get(PATH, headers=server.bearer(user)).json()

    assert "text/event-stream" == reader.response.headers["content-type"].partition(";")[0]
    assert "no-store" == reader.response.headers["cache-control"]
    assert ["kept 1", "종 🔔\n\nkept 2", "live 1", "live 2"] == [message.title for message in seen]
    assert listed["events"] == [json.loads(message["data"]) for message in seen]
    assert [f"{listed['epoch']}:{seq}" for seq in (1, 2, 3, 4)] == [message["id"] for message in seen]
    assert {"notification"} == {message["event"] for message in seen}


async def test_after_begins_where_the_list_ended(shared_server, user):
    """``after`` counts as in the list; the id of the last event counts before it."""
    server = shared_server
    await notify(server.url, server.mint("shop", "publish"), user, "1", "2", "3")
    async with following(server.url, server.mint(user), after=1) as reader:
        assert ["2", "3"] == await reader.titles(2)
    epoch = server.http.get(PATH, headers=server.bearer(user)).json()["epoch"]
    async with following(server.url, server.mint(user), f"{epoch}:2", after=0) as reader:
        assert "3" == (await reader.next()).title


async def test_a_server_that_is_killed_loses_and_doubles_nothing(tmp_path, user):
    """Whoever comes again with the last id goes on behind it."""
    settings = Settings(_env_file=None, jwt_secret=SECRET)
    token = issue_token(settings, user, ttl_s=600)
    shop = issue_token(settings, "shop", ttl_s=600, scope="publish")
    last, seen = None, []
    for turn in range(3):
        async with serving(tmp_path, environment(tmp_path / "t.db")) as (url, process):
            async with following(url, token, last) as reader:
                if turn:
                    seen.append(await reader.next())
                await notify(url, shop, user, f"{turn} seen", f"{turn} not seen")
                seen.append(await reader.next())
                last = seen[-1]["id"]
            await process.stop(signal.SIGKILL)

    wanted = ["0 seen", "0 not seen", "1 seen", "1 not seen", "2 seen"]
    assert wanted == [message.title for message in seen]


async def test_an_id_of_another_life_or_beyond_the_log_is_told_to_begin_anew(shared_server, user):
    """``resync`` with the reason and the head; what is committed after that comes as ever."""
    server, shop = shared_server, shared_server.mint("shop", "publish")
    await notify(server.url, shop, user, "1", "2")
    epoch = server.http.get(PATH, headers=server.bearer(user)).json()["epoch"]
    for last, reason in (("another:1", "epoch_changed"), (f"{epoch}:900", "ahead_of_head")):
        async with following(server.url, server.mint(user), last) as reader:
            told = await reader.next()
            await notify(server.url, shop, user, f"after {reason}")
            assert f"after {reason}" == (await reader.next()).title
        assert ("resync", reason) == (told["event"], json.loads(told["data"])["reason"])
        assert f"{epoch}:{json.loads(told['data'])['seq']}" == told["id"]


async def test_who_has_missed_what_is_no_longer_kept_is_told(server, user):
    """A reader below the kept part is told ``pruned``, not sent the rest as if it were all."""
    await notify(server.url, server.mint("shop", "publish"), user, "1", "2", "3")
    with sqlite3.connect(server.settings.database_url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE tocsin_stream SET pruned = 2 WHERE user_id = ?", (user,))
        database.execute("DELETE FROM tocsin_stream_event WHERE user_id = ? AND seq <= 2", (user,))
    async with following(server.url, server.mint(user)) as reader:
        told = await reader.next()

    assert ("resync", "pruned", 3) == (told["event"], *(json.loads(told["data"])[name] for name in ("reason", "seq")))


@pytest.mark.parametrize("last", ["", "7", "a b:1", "x:-1", "x:1:2", "x:12345678901234567"])
async def test_an_id_that_is_none_of_ours_is_refused(shared_server, user, last):
    """400, and what to do."""
    async with following(shared_server.url, shared_server.mint(user), last) as reader:
        problem = json.loads(await reader.response.aread())

    assert (400, "malformed") == (reader.response.status_code, problem["code"])
    assert "leave it out" in problem["detail"]


async def test_without_a_good_token_nobody_follows(shared_server, user):
    """As for every other route: 401, and 404 for a namespace that is none."""
    async with following(shared_server.url, "x.y.z") as reader:
        assert 401 == reader.response.status_code
    headers = shared_server.bearer(user) | {"Accept": "text/event-stream"}
    assert 404 == shared_server.http.get("/api/stream/none", headers=headers).status_code
    head = shared_server.http.head(PATH, headers=headers)
    assert (200, "application/json") == (head.status_code, head.headers["content-type"])


async def test_it_ends_with_its_token(shared_server, user):
    """A token that runs out, and one that is revoked, end the answer; a new one opens it again."""
    server = shared_server
    async with following(server.url, server.mint(user, ttl_s=3)) as short:
        assert await short.next() is None
    async with following(server.url, server.mint(user)) as reader:
        revoked = server.http.post(
            "/api/sessions/revoke", json={"user_id": user}, headers=server.bearer("s", "publish")
        )
        assert await reader.next() is None
    async with following(server.url, server.mint(user, iat=revoked.json()["valid_from"])) as again:
        assert 200 == again.response.status_code


async def test_an_operator_sees_a_reader_and_cuts_it(start_server, user):
    """Among the connections, by user and page; cut it ends cleanly, and nobody else's does. The metrics count it."""
    server = start_server(trusted_proxies="127.0.0.1")
    operator = server.bearer("ops", "admin")

    def sessions(**query: str | int) -> dict:
        return server.http.get("/api/admin/sessions", headers=operator, params=query).json()

    async with (
        following(server.url, server.mint(user, ttl_s=600)) as reader,
        following(server.url, server.mint(f"{user} too")) as other,
    ):
        page = sessions(find=user, limit=1)
        told = [*page["sessions"], *sessions(find=user, cursor=page["next_cursor"])["sessions"]]
        alone = server.http.get("/api/admin/user", headers=operator, params={"user_id": user}).json()
        metrics = server.http.get("/metrics").text
        (figures,) = server.http.get("/api/admin/overview", headers=operator).json()["nodes"]
        path = f"/api/admin/sessions/{told[0]['id']}"
        cut = server.http.delete(path, headers=operator, params={"user_id": user})
        assert await reader.next() is None
        await eventually(lambda: len(server.service.tails) == 1)
        left = sessions(find=user)["sessions"]
        await notify(server.url, server.mint("shop", "publish"), f"{user} too", "1")
        assert "1" == (await other.next()).title

    assert [user, f"{user} too"] == [one["user_id"] for one in told]
    assert ("sse", ["/notifications"]) == (told[0]["transport"], [*told[0]["sockets"]])
    assert alone["sessions"] == told[:1]
    assert told[0]["since"] < told[0]["expires_at"] < told[1]["expires_at"]
    assert (204, told[1:]) == (cut.status_code, left)
    assert 404 == server.http.delete(path, headers=operator, params={"user_id": user}).status_code
    assert 'tocsin_readers{namespace="/notifications"} 2' in metrics
    assert 2 == figures["gauges"]["readers"]


async def test_who_reads_is_a_user_and_with_a_socket_too_the_same_one(start_server, user):
    """The figures count people once, and both ways of being there."""
    server = start_server()
    async with (
        following(server.url, server.mint(user)),
        following(server.url, server.mint(f"{user} too")),
        connected(server.url, "/notifications", server.mint(user)),
    ):
        (node,) = server.http.get("/api/admin/overview", headers=server.bearer("ops", "admin")).json()["nodes"]

    assert (2, 1, 2) == tuple(node["gauges"][name] for name in ("users", "connections", "readers"))


async def test_it_ends_when_its_user_is_erased(start_server, user):
    """As a socket does; whoever comes again is told once to fetch anew, and then what is live."""
    server = start_server()
    server.service.erasure_jobs._settle_ms = 0
    server.service.erasures.rounds._longest_s = 0.05
    path, shop = f"/api/users/{quote(user)}", server.bearer("shop", "publish")
    await notify(server.url, server.mint("shop", "publish"), user, "1")
    async with following(server.url, server.mint(user)) as reader, following(server.url, server.mint("other")) as other:
        seen = await reader.next()
        assert 202 == server.http.delete(path, headers=shop).status_code
        assert await reader.next() is None
        await eventually(lambda: server.http.get(f"{path}/erasure", headers=shop).status_code == 404)
        await notify(server.url, server.mint("shop", "publish"), "other", "hers")
        assert "hers" == (await other.next()).title
    async with following(server.url, server.mint(user), seen["id"]) as again:
        told = await again.next()
        await notify(server.url, server.mint("shop", "publish"), user, "2")
        assert "2" == (await again.next()).title

    assert "resync" == told["event"]


async def test_an_operator_sees_where_a_reader_is(start_server, user):
    """Behind a proxy that is trusted, its client."""
    server = start_server(trusted_proxies="127.0.0.1")
    headers = server.bearer(user) | {"Accept": "text/event-stream", "X-Forwarded-For": "203.0.113.7"}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=WAIT_S) as http,
        http.stream("GET", f"{server.url}{PATH}", headers=headers),
    ):
        found = server.http.get("/api/admin/sessions", headers=server.bearer("ops", "admin")).json()

    assert ["203.0.113.7"] == [one["address"] for one in found["sessions"]]


async def test_one_too_many_is_refused_and_one_that_ends_makes_room(start_server, user):
    """As many as sockets; others' don't count."""
    server = start_server(limit_user_connections=2)
    token = server.mint(user)
    async with following(server.url, token), following(server.url, server.mint("another")):
        async with following(server.url, token), following(server.url, token) as refused:
            problem = json.loads(await refused.response.aread())
            assert (429, "rate_limited") == (refused.response.status_code, problem["code"])
            assert "5" == refused.response.headers["retry-after"]

        async def has_room() -> bool:
            async with following(server.url, token) as reader:
                return 200 == reader.response.status_code

        await eventually(has_room)
    await eventually(lambda: len(server.service.tails) == 0)
    assert {} == server.service.tails.waiting


async def test_a_server_that_stops_ends_it(start_server, user):
    """Cleanly, so that the client comes again, to another node or after the restart."""
    server = start_server()
    async with following(server.url, server.mint(user)) as reader:
        await asyncio.to_thread(server.stop)
        assert await reader.next() is None


async def test_what_another_process_writes_comes_by_the_look(server, user):
    """Nobody rings for it, and it comes all the same."""
    await notify(server.url, server.mint("shop", "publish"), user, "1")
    async with following(server.url, server.mint(user)) as reader:
        assert "1" == (await reader.next()).title
        with sqlite3.connect(server.settings.database_url.removeprefix("sqlite:///")) as database:
            database.execute(
                "INSERT INTO tocsin_stream_event (user_id, namespace, seq, event_id, event, payload, created_at) "
                "SELECT user_id, namespace, 2, 'e2', event, ?, created_at FROM tocsin_stream_event WHERE user_id = ?",
                (b'{"title":"2"}', user),
            )
            database.execute("UPDATE tocsin_stream SET seq = 2 WHERE user_id = ?", (user,))
        assert "2" == (await reader.next()).title
