"""A client that comes back with its cursor misses nothing and sees nothing twice."""

import asyncio
import logging
import random
import threading

import httpx
import orjson
import pytest

from tests.acceptance.wire_socket import connected, eventually, wire
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.stream import StreamKey
from tocsin.domain.timestamp import now_ms
from tocsin.domain.user_id import UserId

NS = "/notifications"


def publish(server, user, number=1):
    """Commit notifications of one user through the Python API, one after the other."""

    async def create():
        for index in range(number):
            draft = NotificationDraft(user_id=UserId(user), type="t", title=f"종 {index} 🔔", message="m")
            await server.service.notifications.create(draft)

    server.call(create())


def publish_bulk(server, user, number):
    """Commit notifications of one user in one transaction."""
    draft = NotificationDraft(user_id=UserId(user), type="t", title="bulk", message="m")
    server.call(server.service.notifications.create_many([draft] * number))


def seqs(events):
    return [payload["seq"] for name, payload in events if name == "notification"]


async def test_what_was_missed_arrives_before_synced(shared_server):
    """Log first, in order, then ``synced`` at its end."""
    token = shared_server.mint("ann")
    async with connected(shared_server.url, NS, token) as socket:
        publish(shared_server, "ann", 2)
        first = [await socket.payload(NS, "notification") for _ in range(2)]
    publish(shared_server, "ann", 3)
    epoch = first[0]["epoch"]
    async with connected(shared_server.url, NS, token, epoch=epoch, last_seq=2) as socket:
        events = await socket.until(NS, "synced")

    assert [1, 2] == [payload["seq"] for payload in first]
    assert [3, 4, 5] == seqs(events)
    assert {"epoch": epoch, "seq": 5} == events[-1][1]


async def test_a_payload_carries_all_that_a_cursor_needs(shared_server):
    """A replayed event is, field for field, the live one."""
    token = shared_server.mint("bea")
    async with connected(shared_server.url, NS, token) as socket:
        publish(shared_server, "bea")
        live = await socket.payload(NS, "notification")
    async with connected(shared_server.url, NS, token, epoch=live["epoch"], last_seq=0) as socket:
        replayed = await socket.payload(NS, "notification")

    assert live == replayed
    assert {"event_id", "seq", "epoch", "id", "title", "timestamp"} <= live.keys()


async def test_each_namespace_has_a_log_of_its_own(shared_server):
    """The cursor of one namespace says nothing about another."""
    token = shared_server.mint("cem")
    publish(shared_server, "cem", 2)
    async with wire(shared_server.url) as socket:
        await socket.connect(NS, {"token": token})
        await socket.connect("/orders", {"token": token})
        heads = [(await socket.payload(namespace, "synced"))["seq"] for namespace in (NS, "/orders")]

    assert [2, 0] == heads


async def test_the_stream_is_chosen_by_the_token(shared_server):
    """Somebody else's cursor opens nobody else's log."""
    publish(shared_server, "dan", 5)
    async with connected(shared_server.url, NS, shared_server.mint("dan")) as socket:
        publish(shared_server, "dan")
        epoch = (await socket.payload(NS, "notification"))["epoch"]
    async with connected(shared_server.url, NS, shared_server.mint("eve"), epoch=epoch, last_seq=0) as socket:
        events = await socket.until(NS, "synced")

    assert [("synced", {"epoch": epoch, "seq": 0})] == events


@pytest.fixture(scope="module")
def long_log(shared_server):
    """A user with 1,100 events, of which the replay bound covers 1,000."""
    for _ in range(2):
        publish_bulk(shared_server, "long", 550)
    return shared_server.mint("long")


@pytest.mark.parametrize(
    ("cursor", "reason"),
    [
        ({"epoch": "0123456789abcdef", "last_seq": 1_100}, "epoch_changed"),
        ({"last_seq": 1_100}, "epoch_changed"),
        ({"last_seq": 1_101}, "ahead_of_head"),
        ({"last_seq": 99}, "too_far_behind"),
    ],
)
async def test_a_cursor_beyond_resuming_gets_a_resync(shared_server, long_log, cursor, reason):
    """The reason, the place to go on from, then ``synced`` and what is live."""
    epoch = shared_server.service.store.epoch
    if reason != "epoch_changed":
        cursor = {**cursor, "epoch": epoch}
    async with connected(shared_server.url, NS, long_log, **cursor) as socket:
        events = await socket.until(NS, "synced")

    assert ("resync", {"reason": reason, "epoch": epoch, "seq": 1_100}) == events[0]
    assert ("synced", {"epoch": epoch, "seq": 1_100}) == events[1]


@pytest.mark.parametrize("last_seq", [100, 1_099, 1_100])
async def test_up_to_a_thousand_missed_events_are_replayed(shared_server, long_log, last_seq):
    """A cursor of days ago is resumed as long as the bound holds."""
    cursor = {"epoch": shared_server.service.store.epoch, "last_seq": last_seq}
    async with connected(shared_server.url, NS, long_log, **cursor) as socket:
        events = await socket.until(NS, "synced")

    assert list(range(last_seq + 1, 1_101)) == seqs(events)
    assert len(events) == 1_101 - last_seq


async def test_what_retention_dropped_is_a_resync(start_server):
    """A cursor older than what is kept is told ``pruned``."""
    server = start_server()
    for _ in range(2):
        publish_bulk(server, "ann", 600)
    server.call(server.service.retention.prune())
    token, epoch = server.mint("ann"), server.service.store.epoch
    async with connected(server.url, NS, token, epoch=epoch, last_seq=199) as socket:
        pruned = await socket.until(NS, "synced")
    async with connected(server.url, NS, token, epoch=epoch, last_seq=200) as socket:
        kept = await socket.until(NS, "synced")

    assert "pruned" == pruned[0][1]["reason"]
    assert list(range(201, 1_201)) == seqs(kept)


def test_the_settings_say_how_long_the_log_is_kept(start_server):
    """Of two days the event of three days ago goes, and the trace of its notification says why."""
    server = start_server(keep_events_days=2)
    publish_bulk(server, "ann", 1)
    (told,) = server.http.get("/api/notifications", headers=server.bearer("ann")).json()["notifications"]
    retention = server.service.retention
    retention._clock = lambda: now_ms() + 3 * 86_400_000
    dropped = server.call(retention.prune())
    trace = server.http.get(f"/api/notifications/{told['id']}/trace", headers=server.bearer("ops", "admin"))

    assert 1 == dropped["stream_event"]
    assert "which keeps 2 days or 1,000 events" in trace.text


async def test_a_replay_of_big_events_waits_for_a_slow_reader(shared_server):
    """Megabytes of missed events reach a client that reads slowly: it is not cut, it is waited for."""
    token, user = shared_server.mint("big"), UserId("big")

    async def create():
        for index in range(150):
            data = {"post_id": index, "platforms": ["x" * 50_000]}
            await shared_server.service.activity.publish("/sns", "publish_success", [user], data)

    shared_server.call(create())
    async with wire(shared_server.url) as socket:
        await socket.connect("/sns", {"token": token, "epoch": shared_server.service.store.epoch, "last_seq": 0})
        got = []
        while not got or got[-1][0] != "synced":
            got.append(await socket.next("/sns"))
            await asyncio.sleep(0.003)

    assert list(range(150)) == [payload["post_id"] for name, payload in got if name == "publish_success"]


async def test_namespaces_that_resume_together_share_the_queue(shared_server):
    """A polling client far behind on several namespaces is sent everything, and not cut for being slow."""
    behind = 120

    async def miss() -> None:
        await shared_server.service.activity.publish("/sns", "post_liked", [UserId("pia")], {})
        await shared_server.service.activity.publish("/orders", "order_updated", [UserId("pia")], {})

    for _ in range(behind):
        shared_server.call(miss())
    publish_bulk(shared_server, "pia", behind)
    token = shared_server.mint("pia")
    inbox = shared_server.http.get("/api/notifications", headers={"Authorization": f"Bearer {token}"}).json()
    auth = orjson.dumps({"token": token, "epoch": inbox["epoch"], "last_seq": 0}).decode()
    path = "/socket.io/?EIO=4&transport=polling"
    sid = orjson.loads(shared_server.http.get(path).text[1:])["sid"]
    connects = "\x1e".join(f"40{namespace},{auth}" for namespace in ("/sns", "/orders", NS))

    assert "ok" == shared_server.http.post(f"{path}&sid={sid}", content=connects).text
    packets: list[str] = []
    while sum('["synced"' in packet for packet in packets) < 3:
        answer = shared_server.http.get(f"{path}&sid={sid}")
        assert 200 == answer.status_code
        packets += answer.text.split("\x1e")

    assert 3 * behind == sum('"event_id"' in packet for packet in packets)


async def test_resuming_while_much_is_published_leaves_no_seam(shared_server):
    """Two hundred resumes under constant publishing: each goes on exactly where the last one ended."""
    token, user, stop = shared_server.mint("seam"), UserId("seam"), asyncio.Event()
    dice = random.Random(4)

    async def publish_without_end():
        draft = NotificationDraft(user_id=user, type="t", title="t", message="m")
        while not stop.is_set():
            await asyncio.gather(*(shared_server.service.notifications.create(draft) for _ in range(4)))
            await asyncio.sleep(0.002)

    publishing = asyncio.run_coroutine_threadsafe(publish_without_end(), shared_server._loop)
    try:
        shown, epoch = [], shared_server.service.store.epoch
        for _ in range(200):
            cursor = {"epoch": epoch, "last_seq": shown[-1] if shown else 0}
            async with connected(shared_server.url, NS, token, **cursor) as socket:
                events = await socket.until(NS, "synced")
                # Leaves anywhere: right after the seam, or some live events later.
                events += [await socket.next(NS) for _ in range(dice.randrange(4))]
                shown += seqs(events)
    finally:
        shared_server._loop.call_soon_threadsafe(stop.set)
        await asyncio.to_thread(publishing.result, 20)

    assert list(range(1, len(shown) + 1)) == shown
    assert 400 < len(shown)


async def test_many_devices_of_one_user_see_one_order(shared_server):
    """Sockets that came at different moments all get the same log."""
    token = shared_server.mint("devices")
    async with connected(shared_server.url, NS, token) as first:
        publish(shared_server, "devices", 3)
        async with connected(shared_server.url, NS, token) as second:
            publish(shared_server, "devices", 3)
            ones = [await first.payload(NS, "notification") for _ in range(6)]
            others = [await second.payload(NS, "notification") for _ in range(3)]

    assert [1, 2, 3, 4, 5, 6] == [payload["seq"] for payload in ones]
    assert ones[3:] == others


async def test_a_gap_is_filled_by_a_replay(shared_server):
    """``replay {after}`` sends the log again from there, then ``synced``, then what is live."""
    token = shared_server.mint("gap")
    async with connected(shared_server.url, NS, token) as socket:
        publish(shared_server, "gap", 5)
        [await socket.payload(NS, "notification") for _ in range(5)]
        answer = await socket.ask(NS, "replay", {"after": 2})
        events = await socket.until(NS, "synced")
        publish(shared_server, "gap")
        live = await socket.payload(NS, "notification")

    assert {"ok": True} == answer
    assert [3, 4, 5] == seqs(events)
    assert 6 == live["seq"]


async def test_a_replay_from_beyond_the_head_is_a_resync(shared_server):
    """A seq that was never given out is told so, like any bad cursor."""
    async with connected(shared_server.url, NS, shared_server.mint("odd")) as socket:
        assert {"ok": True} == await socket.ask(NS, "replay", {"after": 9})
        assert "ahead_of_head" == (await socket.payload(NS, "resync"))["reason"]


async def test_acks_are_kept_and_only_rise(shared_server):
    """The highest acked seq of all devices is stored within seconds, never above the head."""
    token = shared_server.mint("acker")
    async with connected(shared_server.url, NS, token) as socket:
        publish(shared_server, "acker", 4)
        [await socket.payload(NS, "notification") for _ in range(4)]
        for seq in (3, 2, 2**53 - 1):
            assert {"ok": True} == await socket.ask(NS, "ack", {"seq": seq})

        def acked():
            heads = shared_server.service.store.heads([StreamKey(UserId("acker"), NS)])
            return shared_server.call(heads)[0].acked == 4

        await eventually(lambda: asyncio.to_thread(acked))


@pytest.mark.parametrize("is_other_log", [False, True], ids=["of this log", "of another log"])
async def test_an_ack_before_synced_counts_once_the_cursor_is_known(shared_server, monkeypatch, is_other_log):
    """Up to the head, which may still be looked up; where the client has to load afresh it meant another event."""
    user = f"early-{is_other_log}"
    token, store = shared_server.mint(user), shared_server.service.store
    publish(shared_server, user, 4)
    heads, is_open = store.heads, threading.Event()

    async def slow(keys):
        await asyncio.to_thread(is_open.wait, 20)
        return await heads(keys)

    async with wire(shared_server.url) as socket:
        with monkeypatch.context() as patch:
            patch.setattr(store, "heads", slow)
            epoch = "another" if is_other_log else store.epoch
            await socket.connect(NS, {"token": token, "epoch": epoch, "last_seq": 3})
            assert {"ok": True} == await socket.ask(NS, "ack", {"seq": 3})
            is_open.set()
            await socket.until(NS, "synced")
        key = StreamKey(UserId(user), NS)
        if is_other_log:
            assert key not in shared_server.service.streams._acks
        else:
            await eventually(lambda: asyncio.to_thread(lambda: shared_server.call(heads([key]))[0].acked == 3))


async def test_a_page_that_is_left_has_said_what_it_has_shown(shared_server, caplog):
    """An ack behind a request that waits is kept although the client leaves in the same packet; a replay is not."""
    token = shared_server.mint("leaver")
    publish(shared_server, "leaver", 3)
    async with connected(shared_server.url, NS, token), httpx.AsyncClient(trust_env=False) as http:
        poll = f"{shared_server.url}/socket.io/?EIO=4&transport=polling"
        poll += "&sid=" + orjson.loads((await http.get(poll)).text[1:])["sid"]
        await http.post(poll, content=f"40{NS}," + orjson.dumps({"token": token}).decode())
        packets = '["mark_all_read"]', '["ack",{"seq":3}]', '["replay",{"after":0}]'
        await http.post(poll, content="\x1e".join([*(f"42{NS},{packet}" for packet in packets), f"41{NS},"]))

        def acked():
            heads = shared_server.service.store.heads([StreamKey(UserId("leaver"), NS)])
            return shared_server.call(heads)[0].acked == 3

        await eventually(lambda: asyncio.to_thread(acked))

    assert [] == [record for record in caplog.records if record.levelno >= logging.ERROR]
