"""Sessions of many nodes: pages that leave nothing out, however much each of them has to tell."""

import asyncio

import orjson
import pytest

from tocsin.adapters.bus_redis.envelope import MAX_PAYLOAD_BYTES
from tocsin.application.admin import Admin
from tocsin.application.insight import Insight
from tocsin.application.nodes import Nodes
from tocsin.domain.ladder import Ladders


class Wire:
    """A bus that drops what Redis is not given."""

    def __init__(self):
        self.nodes = []

    def publish_ephemeral(self, user_id, namespace, event, payload):
        if len(orjson.dumps(payload)) <= MAX_PAYLOAD_BYTES:
            for node in self.nodes:
                asyncio.get_running_loop().call_soon(node.on_ephemeral, namespace, payload)


class Held:
    """The connections of a node."""

    def __init__(self, rows):
        self.sessions = self
        self._rows = sorted(rows, key=lambda row: (row["user_id"], row["id"]))

    def page(self, find, after, limit):
        return [row for row in self._rows if (row["user_id"], row["id"]) > after and find in row["user_id"]][:limit]

    def of(self, user_id):
        return [row for row in self._rows if row["user_id"] == user_id]


def session(user_id, number):
    return {
        "id": f"{number:016x}",
        "user_id": user_id,
        "transport": "websocket",
        "address": "2001:db8::1",
        "since": 1,
        "expires_at": 2,
        "queued_bytes": 0,
        "sockets": {
            f"/{namespace}": "s" * 20 for namespace in ("sns", "orders", "chat", "notifications", "board", "game")
        },
    }


@pytest.fixture
def node():
    wire = Wire()

    def node(name, rows):
        nodes = Nodes(wire, is_shared=True, name=name)
        admin = Admin(nodes, None, None, None)
        Insight(None, Ladders(), nodes, admin).watch(Held(rows))
        wire.nodes.append(nodes)
        return admin

    return node


async def test_pages_leave_nobody_out(node):
    """Though an answer of a node holds less than a page, and the nodes' users lie between each other's."""
    ids = [f"{number:03}" + "한" * 125 for number in range(1_000)]
    asker = node("a", [session(user_id, 1) for user_id in ids[::5]])
    for number in range(1, 5):
        node("bcde"[number - 1], [session(user_id, 1) for user_id in ids[number::5]])
    node("f", [session("x", number) for number in range(700)])
    seen, after = [], ("", "")
    while after is not None:
        page = await asker.sessions(after=after, limit=200)
        seen += page.sessions
        after = page.next_after

    assert [*ids, *["x"] * 700] == [one["user_id"] for one in seen]
    assert 1_700 == len({(one["user_id"], one["id"]) for one in seen})


async def test_a_user_with_more_sessions_than_fit_is_told_of(node):
    """What fits is shown, and that there is more."""
    name = "한" * 128
    asker = node("a", [])
    node("b", [session(name, number) for number in range(190)])
    told = await asker.sessions_of(name)
    few = await asker.sessions_of("nobody")

    assert 50 < len(told["sessions"]) < 190
    assert (True, False) == (told["has_more_sessions"], few["has_more_sessions"])
