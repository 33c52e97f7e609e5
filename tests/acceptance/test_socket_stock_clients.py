"""Stock clients work unmodified: npm's newest, the guide's 4.5.4, Python's; every transport."""

import asyncio
import zlib

import pytest

from tests.acceptance.stock_clients import TRANSPORTS, stock_client
from tests.acceptance.wire_socket import Refused, eventually
from tocsin.domain.events import NAMESPACES
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.user_id import UserId

TEXT = '안녕하세요, 종소리 🔔👩‍👩‍👧 \u2028 "quoted" \\ é'
KINDS = ["4.8", "4.5", "python"]
# python-socketio does not come back from a polling connection that its server closed, Node's included.
THAT_COME_BACK = [(kind, name) for kind in KINDS for name in TRANSPORTS if (kind, name) != ("python", "polling")]


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=TRANSPORTS)
def transports(request):
    return TRANSPORTS[request.param]


@pytest.fixture
def user(request):
    """A user of the test's own: a number, as the guide has them."""
    return zlib.crc32(request.node.name.encode())


def publish(server, user, number=1):
    async def create():
        for _ in range(number):
            draft = NotificationDraft(user_id=UserId(str(user)), type="t", title="알림 🔔", message=TEXT)
            await server.service.notifications.create(draft)

    server.call(create())


async def test_four_namespaces_events_and_acks(shared_server, kind, transports, user):
    """All namespaces over one connection; text arrives as it was sent, acks go both ways."""
    token = shared_server.mint(user)
    async with stock_client(kind) as client:
        await client.open(shared_server.url, list(NAMESPACES), transports, {"token": token})
        sent = await client.ask("/chat", "send_message", {"to_user_id": user, "message": TEXT})
        (message,) = await client.next("/chat", "message_received")
        await asyncio.to_thread(publish, shared_server, user)
        (notification,) = await client.next("/notifications", "notification")
        started = await client.ask("/sns", "publish_start", {"post_id": 1, "platforms": ["인스타그램"]})
        (post,) = await client.next("/sns", "publish_started")
        refused = await client.ask("/orders", "order_updated", {"order_id": 1})
        answer = await asyncio.to_thread(lambda: shared_server.call(question(shared_server, user)))

    assert (True, message["id"]) == (sent["ok"], sent["id"])
    assert (TEXT, user) == (message["message"], message["from_user_id"])
    assert ("알림 🔔", TEXT, 1) == (notification["title"], notification["message"], notification["seq"])
    assert ({"ok": True}, ["인스타그램"]) == (started, post["platforms"])
    assert (False, "unknown_event") == (refused["ok"], refused["code"])
    assert [f"대답: {TEXT}", {"binary": True}] == answer


async def question(server, user):
    """Ask the client from the server, with an attachment, and return its ack."""
    (socket,) = server.service.engine.room("/chat", UserId(str(user)))
    return await socket.call("question", TEXT, b"\x00\xff")


async def test_the_client_uses_the_transport_that_it_asked_for(shared_server, kind, transports, user):
    """Polling stays polling, an upgrade ends on WebSocket and loses nothing on the way."""
    async with stock_client(kind) as client:
        await client.open(shared_server.url, ["/notifications"], transports, {"token": shared_server.mint(user)})
        for _ in range(20):
            await asyncio.to_thread(publish, shared_server, user)
        seqs = [(await client.next("/notifications", "notification"))[0]["seq"] for _ in range(20)]

        async def has_settled():
            return await client.transport() == transports[-1]

        await eventually(has_settled)

    assert list(range(1, 21)) == seqs


async def test_a_refusal_is_an_error_with_a_message(shared_server, kind, transports):
    """``connect_error`` carries the message and the problem, which 4.5.4 knows too."""
    async with stock_client(kind) as client:
        with pytest.raises(Refused) as refusal:
            await client.open(shared_server.url, ["/chat"], transports, {"token": "wrong"})

    assert "the token is malformed" == refusal.value.message
    assert "unauthenticated" == refusal.value.data["code"]


@pytest.mark.parametrize(("kind", "name"), THAT_COME_BACK)
async def test_a_client_that_comes_back_with_its_cursor_misses_nothing(shared_server, kind, name, user):
    """The library reconnects by itself; the cursor in ``auth`` is all that a resume needs."""
    token, namespace = shared_server.mint(user), "/notifications"
    async with stock_client(kind) as client:
        await client.open(shared_server.url, [namespace], TRANSPORTS[name], {"token": token})
        (synced,) = await client.next(namespace, "synced")
        await client.set_auth({"token": token, "epoch": synced["epoch"], "last_seq": synced["seq"]})
        shared_server.call(cut(shared_server, user))
        await asyncio.to_thread(publish, shared_server, user, 5)
        seqs = [(await client.next(namespace, "notification"))[0]["seq"] for _ in range(5)]

    assert [1, 2, 3, 4, 5] == seqs


async def cut(server, user):
    """Break the link of a user's only client under it."""
    (socket,) = server.service.engine.room("/notifications", UserId(str(user)))
    socket.connection.abort()


@pytest.mark.parametrize("name", TRANSPORTS)
async def test_binary_is_refused_clearly_where_no_event_takes_it(shared_server, kind, name, user):
    """Who waits for an ack is told why, and stays connected."""
    async with stock_client(kind) as client:
        await client.open(shared_server.url, ["/chat"], TRANSPORTS[name], {"token": shared_server.mint(user)})
        refusal = await client.ask_binary("/chat", "send_message")
        sent = await client.ask("/chat", "send_message", {"to_user_id": user, "message": TEXT})

    assert (False, "binary_not_accepted") == (refusal["ok"], refusal["code"])
    assert sent["ok"]


@pytest.mark.parametrize(("kind", "name"), THAT_COME_BACK)
async def test_binary_that_nobody_can_be_told_about_closes(shared_server, kind, name, user):
    """The connection that sent it closes, and comes back; another client notices nothing."""
    url, token = shared_server.url, shared_server.mint(user)
    async with stock_client(kind) as client, stock_client("python") as other:
        await other.open(url, ["/chat"], ["websocket"], {"token": token})
        await client.open(url, ["/chat"], TRANSPORTS[name], {"token": token})
        await client.next("/chat", "synced")
        await client.send_binary("/chat", "send_message")
        await client.next("/chat", "disconnect")
        await client.next("/chat", "synced")

        assert (await other.ask("/chat", "send_message", {"to_user_id": user, "message": "still here"}))["ok"]


async def test_hundreds_of_missed_events_reach_a_polling_client(shared_server, kind, user):
    """A long replay is given in parts, each fetched before the next: no queue overflows."""
    publish(shared_server, user, 400)
    auth = {"token": shared_server.mint(user), "epoch": shared_server.service.store.epoch, "last_seq": 0}
    async with stock_client(kind) as client:
        await client.open(shared_server.url, ["/notifications"], ["polling"], auth)
        seqs = [(await client.next("/notifications", "notification"))[0]["seq"] for _ in range(400)]
        (synced,) = await client.next("/notifications", "synced")

    assert list(range(1, 401)) == seqs
    assert 400 == synced["seq"]


async def test_a_server_that_drains_is_left_and_found_again(start_server, kind, user):
    """The transport closes without a DISCONNECT, so that the library comes back by itself."""
    first = start_server()
    async with stock_client(kind) as client:
        await client.open(first.url, ["/chat"], ["websocket"], {"token": first.mint(user)})
        await client.next("/chat", "synced")
        port = int(first.url.rpartition(":")[2])
        await asyncio.to_thread(first.stop)
        start_server(port=port)

        assert await client.next("/chat", "synced")
