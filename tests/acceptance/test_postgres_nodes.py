"""Two nodes on PostgreSQL and Valkey: one user on both, and both nodes write."""

import asyncio

import pytest

from tests.acceptance.test_rest_event_stream import following
from tests.acceptance.wire_socket import connected, eventually
from tests.postgres import Postgres, postgres

pytestmark = pytest.mark.slow

NS = "/notifications"


@pytest.fixture
def nodes(start_server, postgres_url, redis_url):
    """Return two nodes, which know of each other by the database and the bus alone."""
    return [start_server(database_url=postgres_url, redis_url=redis_url) for _ in range(2)]


def notify(node, title):
    body = {"user_id": "alice", "type": "t", "title": title, "message": ""}
    return node.http.post("/api/notifications", json=body, headers=node.bearer("shop", "publish")).status_code


async def test_both_devices_of_a_user_see_one_order(nodes):
    """Whichever node a notification was made on, each device has all of them in the order of the log."""
    one, other = nodes
    async with connected(one.url, NS, one.mint("alice")) as phone, connected(other.url, NS, other.mint("alice")) as web:
        made = [asyncio.to_thread(notify, node, f"{n}") for n in range(30) for node in nodes]
        assert [201] * 60 == await asyncio.gather(*made)
        seen = [[await device.payload(NS, "notification") for _ in range(60)] for device in (phone, web)]

    assert seen[0] == seen[1]
    assert [*range(1, 61)] == [payload["seq"] for payload in seen[0]]


async def test_who_follows_over_plain_http_hears_of_every_node(nodes):
    """Whichever node committed it, each reader gets it, once and in the order of the log."""
    one, other = nodes
    async with following(one.url, one.mint("sue")) as first, following(other.url, other.mint("sue")) as second:
        body = {"user_id": "sue", "type": "t", "message": ""}
        for number in range(10):
            node = nodes[number % 2]
            ask = {"json": body | {"title": f"{number}"}, "headers": node.bearer("shop", "publish")}
            assert 201 == (await asyncio.to_thread(node.http.post, "/api/notifications", **ask)).status_code
        seen = [await reader.titles(10) for reader in (first, second)]

    assert [[f"{number}" for number in range(10)]] * 2 == seen


async def test_what_the_bus_does_not_tell_comes_by_the_sweep(start_server, postgres_url):
    """Two nodes without a bus: the one learns from the database that the other has written."""
    one, other = (start_server(database_url=postgres_url) for _ in range(2))
    async with connected(one.url, NS, one.mint("alice")) as phone:
        assert 201 == await asyncio.to_thread(notify, other, "From the other node")

        assert "From the other node" == (await phone.payload(NS, "notification"))["title"]


async def test_while_the_database_is_away_writers_are_told_to_come_again(start_server):
    """503 with Retry-After, not ready; afterwards it serves again by itself, and nothing that was answered is lost."""
    with postgres() as server:
        node = start_server(database_url=server.url)
        assert 201 == notify(node, "before")
        await _away(server, node)
        assert await eventually(lambda: asyncio.to_thread(lambda: notify(node, "after") == 201))
        headers = node.bearer("alice")
        listed = node.http.get("/api/notifications", headers=headers).json()["notifications"]
        node.stop()

    assert {"before", "after"} == {one["title"] for one in listed}


async def _away(server: Postgres, node):
    server.stop()
    body = {"user_id": "alice", "type": "t", "title": "meanwhile", "message": ""}
    refused = node.http.post("/api/notifications", json=body, headers=node.bearer("shop", "publish"))
    ready = node.http.get("/readyz").status_code
    server.start()
    assert (503, 503) == (refused.status_code, ready)
    assert int(refused.headers["retry-after"]) > 0
