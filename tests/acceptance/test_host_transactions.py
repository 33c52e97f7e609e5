"""Events of a host's own transactions, over real sockets: with its commit or not at all, and none is lost."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest
from redis import Redis
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

from tests.acceptance.wire_socket import connected
from tests.valkey import valkey
from tocsin import publish_in
from tocsin.adapters.sql.erasures import SqlErasures
from tocsin.domain.user_id import UserId
from tocsin.models import ChatMessage, Notification
from tocsin.websocket_server import broadcast_chat_message, broadcast_notification

ORDERS = "/orders"
KILLED_BEFORE_THE_WAKE = """
import os, signal, sys
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from tocsin import bridge, publish_in
from tocsin.models import Notification

class Killing:
    core = None

    def wake(self, keys):
        os.kill(os.getpid(), signal.SIGKILL)

bridge.attach(Killing())
with Session(create_engine(sys.argv[1])) as session:
    session.add(Notification(user_id=1, title="Last words"))
    publish_in(session, "/orders", "order_updated", 1, {"order_id": 5})
    session.commit()
"""
SCRIPT = """
import sys
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from tocsin import publish_in

with Session(create_engine(sys.argv[1])) as session:
    publish_in(session, "/orders", "order_updated", 1, {"order_id": 5})
    session.commit()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request, start_server):
    """Return a running server, on each database in turn."""
    if request.param == "sqlite":
        return start_server()
    url = request.getfixturevalue("postgres_url")
    return start_server(database_url=url.replace("postgresql://", "postgresql+psycopg://"))


@pytest.fixture
def host(server):
    """Return sessions of a back end on the server's database."""
    url = server.settings.database_url
    engine = create_engine(url, connect_args={"timeout": 30} if url.startswith("sqlite") else {})
    yield sessionmaker(engine)
    engine.dispose()


async def test_a_commit_is_heard_and_a_rollback_is_not(server, host):
    """The first event that arrives is the one committed, under the seq that the rolled back one had."""
    async with connected(server.url, ORDERS, server.mint(1)) as socket:
        with host() as session:
            publish_in(session, ORDERS, "order_updated", 1, {"order_id": 1})
            session.rollback()
            (told,) = publish_in(session, ORDERS, "order_updated", 1, {"order_id": 2})
            session.commit()
        heard = await socket.payload(ORDERS, "order_updated")

    assert (2, 1) == (heard["order_id"], heard["seq"])
    assert told["data"] == heard


async def test_the_first_event_after_an_erasure_begins_above_what_was(server, host):
    """Whoever was connected before comes back with a cursor that is told so."""
    jobs, user = SqlErasures(server.service.store, settle_ms=0), UserId("1")
    with host() as session:
        for _ in range(3):
            publish_in(session, ORDERS, "order_updated", 1, {"order_id": 1})
        session.commit()
    server.call(jobs.request(user))
    while server.call(jobs.work(user, lambda _: None)) is not None:
        pass
    with host() as session:
        told = [publish_in(session, ORDERS, "order_updated", 1, {"order_id": 2})[0]["seq"] for _ in range(4)]
        session.commit()
    async with connected(server.url, ORDERS, server.mint(1), epoch=server.service.store.epoch, last_seq=3) as socket:
        reset = await socket.payload(ORDERS, "resync")

    assert [5, 6, 7, 8] == told
    assert ("pruned", 8) == (reset["reason"], reset["seq"])


async def test_a_model_is_heard_as_rest_shows_it(server, host):
    """Added in a session, listed by REST, read by REST: one notification."""
    async with connected(server.url, "/notifications", server.mint(1)) as socket:
        with host() as session:
            added = Notification(user_id=1, title="Shipped", data={"order_id": 5})
            session.add(added)
            session.commit()
            heard = await socket.payload("/notifications", "notification")
            listed = server.http.get("/api/notifications", headers=server.bearer(1)).json()["notifications"]
            assert [added.to_dict()] == listed
            assert added.to_dict().items() <= heard.items()

            server.http.put(f"/api/notifications/{added.id}/read", headers=server.bearer(1)).raise_for_status()
            session.expire(added)
            assert added.read_at is not None


async def test_a_notification_saved_and_broadcast_is_one(server, host):
    """A model's to_dict() names the one that its commit has delivered."""
    async with connected(server.url, "/notifications", server.mint(1)) as socket:
        with host() as session:
            saved = Notification(user_id=1, title="Saved")
            session.add(saved)
            session.commit()
            assert [] == broadcast_notification(1, saved.to_dict()).wait(20)
        broadcast_notification(1, {"title": "Other", "id": 5}).wait(20)
        heard = [await socket.payload("/notifications", "notification") for _ in range(2)]

    assert [(1, "Saved", {}), (2, "Other", {"id": 5})] == [(one["seq"], one["title"], one["data"]) for one in heard]


async def test_a_message_saved_and_broadcast_is_one(server, host):
    """The guide's send_message, twice: two messages, though each is saved and broadcast."""
    async with connected(server.url, "/chat", server.mint(2)) as socket:
        for _ in range(2):
            with host() as session:
                session.add(ChatMessage(from_user_id=1, to_user_id=2, message="Hi"))
                session.commit()
            broadcast_chat_message(1, 2, "Hi").wait(20)
        broadcast_chat_message(1, 2, "Bye").wait(20)
        heard = [await socket.payload("/chat", "message_received") for _ in range(3)]

    assert [(1, "Hi"), (2, "Hi"), (3, "Bye")] == [(one["seq"], one["message"]) for one in heard]


async def test_a_host_killed_between_commit_and_wake_loses_nothing(server):
    """The sweep finds what it could not tell any more."""
    async with (
        connected(server.url, ORDERS, server.mint(1)) as orders,
        connected(server.url, "/notifications", server.mint(1)) as notifications,
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", KILLED_BEFORE_THE_WAKE, server.settings.database_url, stderr=subprocess.PIPE
        )
        _, errors = await process.communicate()
        assert -signal.SIGKILL == process.returncode, errors.decode()

        assert 5 == (await orders.payload(ORDERS, "order_updated"))["order_id"]
        assert "Last words" == (await notifications.payload("/notifications", "notification"))["title"]


async def test_the_last_commit_of_a_script_is_told_through_redis(server, tmp_path):
    """A process that serves nobody and publishes nothing else wakes the nodes before it ends."""
    with valkey(tmp_path) as redis:
        environment = {**os.environ, "TOCSIN_DATABASE_URL": server.settings.database_url, "TOCSIN_REDIS_URL": redis.url}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SCRIPT, server.settings.database_url, stderr=subprocess.PIPE, env=environment
        )
        _, errors = await process.communicate()
        assert (0, b"") == (process.returncode, errors)
        with Redis.from_url(redis.url) as client:
            used = client.info("commandstats").keys()

    assert used & {"cmdstat_publish", "cmdstat_spublish"}


async def test_the_server_waits_for_a_hosts_open_transaction(server, host):
    """Its write and the host's both arrive, in the order of the commits and without a gap."""
    async with connected(server.url, "/notifications", server.mint(1)) as socket:
        with host() as session:
            publish_in(session, "/notifications", "notification", 1, {"title": "First"})
            posting = asyncio.get_running_loop().run_in_executor(None, post, server, "Second")
            while not server.service.store._writer._meters.waiting:  # noqa: ASYNC110 nothing tells of it
                await asyncio.sleep(0.01)
            assert not posting.done()
            session.commit()
        assert 201 == (await posting).status_code
        heard = [await socket.payload("/notifications", "notification") for _ in range(2)]

    assert [(1, "First"), (2, "Second")] == [(one["seq"], one["title"]) for one in heard]


async def test_sessions_and_requests_at_once_leave_no_gap(server, host):
    """Four threads of the host, some of whose transactions end in a rollback, and REST beside them."""

    def work(number):
        for turn in range(10):
            with host() as session:
                publish_in(session, "/notifications", "notification", 1, {"title": f"{number}"})
                session.rollback() if turn % 5 == 0 else session.commit()

    async with connected(server.url, "/notifications", server.mint(1)) as socket:
        await asyncio.gather(
            *[asyncio.to_thread(work, number) for number in range(4)],
            *[asyncio.to_thread(post, server, "REST") for _ in range(8)],
        )
        heard = [await socket.payload("/notifications", "notification") for _ in range(40)]

    assert list(range(1, 41)) == [one["seq"] for one in heard]


def post(server, title):
    body = {"user_id": 1, "type": "t", "title": title, "message": ""}
    return server.http.post("/api/notifications", json=body, headers=server.bearer("host", "publish"))
