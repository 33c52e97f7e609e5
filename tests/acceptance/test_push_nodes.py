"""The push ladder over two nodes and a real Valkey: a socket on any node is waited for, and nobody who has none."""

import asyncio
from uuid import uuid4

import pytest

from tests.acceptance.wire_socket import connected, eventually
from tocsin.application.presence_nodes import KNOWN_S
from tocsin.testing.fcm import FakeFcm

pytestmark = pytest.mark.slow


@pytest.fixture
def fcm():
    with FakeFcm() as fcm:
        yield fcm


@pytest.fixture
def nodes(start_server, tmp_path, redis_url, fcm):
    """Return a node that looks after sockets alone, and one that alone sends pushes."""
    settings = {
        "database_url": f"sqlite:///{tmp_path / 't.db'}",
        "redis_url": redis_url,
        "firebase_credentials_path": fcm.write_key(tmp_path),
        "fcm_url": fcm.url,
        "push_ladder": "normal: push 1h",
    }
    nodes = start_server(**settings), start_server(**settings)
    nodes[0].call(nodes[0].service.relay.stop())
    return nodes


def register(node, user):
    body = {"token": f"t-{user}", "platform": "android"}
    assert 201 == node.http.post("/api/fcm/register-device", json=body, headers=node.bearer(user)).status_code


def notify(node, user):
    body = {"user_id": user, "type": "t", "title": "Hi", "message": ""}
    answer = node.http.post("/api/notifications", json=body, headers=node.bearer("shop", "publish"))
    assert 201 == answer.status_code


async def test_who_has_a_socket_on_another_node_is_waited_for(nodes, fcm):
    """A rung keeps its time for them; who has none anywhere is pushed to after two seconds."""
    sockets, pushes = nodes
    here, away = (f"{name}-{uuid4()}" for name in ("here", "away"))
    async with connected(sockets.url, "/orders", sockets.mint(here)):
        for user in (here, away):
            register(sockets, user)
        await asyncio.sleep(KNOWN_S)
        for user in (here, away):
            notify(pushes, user)
        await eventually(lambda: fcm.sent)
        await asyncio.sleep(2)

    assert [f"t-{away}"] == [one["token"] for one in fcm.sent]


async def test_while_the_other_nodes_are_not_known_everybody_is_waited_for(nodes):
    """Just after the start, or an outage of Redis, a socket may be anywhere."""
    _, pushes = nodes
    service = pushes.service

    async def missed():
        service.presence.on_gap()
        return service._is_online("anybody")

    assert pushes.call(missed()) is None
