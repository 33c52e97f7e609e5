"""Traces over real connections: what a collector gets of an event's way from POST to ack."""

import subprocess
import sys

import pytest

from tests.acceptance.wire_socket import connected, wire
from tests.otlp_receiver import attributes, receiving
from tocsin import Settings, SettingsError

NS = "/notifications"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
FOLLOWED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
BODY = {"user_id": "alice", "type": "t", "title": "title-secret", "message": "message-secret"}


@pytest.fixture
def collector():
    with receiving() as received:
        yield received


async def test_one_trace_leads_from_the_post_to_the_ack(start_server, collector):
    """POST, commit, emit, ack: each is below the one before, and the caller's own span is above all."""
    server = start_server(otlp_url=collector.url)
    async with connected(server.url, NS, server.mint("alice")) as socket:
        made = server.http.post("/api/notifications", headers=server.bearer("shop", "publish") | FOLLOWED, json=BODY)
        notification = await socket.payload(NS, "notification")
        await socket.ask(NS, "ack", {"seq": notification["seq"]})
    server.stop()

    assert 201 == made.status_code
    assert [
        ("", "POST /api/notifications"),
        ("POST /api/notifications", "commit"),
        ("commit", "emit notification"),
        ("emit notification", "ack"),
    ] == collector.of_trace(TRACE)
    post = collector.named("POST /api/notifications")
    assert CALLER == post.parent_span_id.hex()
    assert {
        "http.request.method": "POST",
        "http.route": "/api/notifications",
        "http.response.status_code": 201,
    } == attributes(post)
    assert {"tocsin.namespace": NS, "tocsin.seq": 1, "tocsin.sockets": 1} == attributes(
        collector.named("emit notification")
    )
    assert "tocsin" == collector.resources[0]["service.name"]


async def test_the_steps_follow_each_other_in_time(start_server, collector):
    """A commit begins within its POST, and an ack where its emit ended."""
    server = start_server(otlp_url=collector.url)
    async with connected(server.url, NS, server.mint("alice")) as socket:
        server.http.post("/api/notifications", headers=server.bearer("shop", "publish") | FOLLOWED, json=BODY)
        await socket.payload(NS, "notification")
        await socket.ask(NS, "ack", {"seq": 1})
    server.stop()
    post, commit, emit, ack = map(collector.named, ("POST /api/notifications", "commit", "emit notification", "ack"))

    assert post.start_time_unix_nano <= commit.start_time_unix_nano <= emit.start_time_unix_nano
    assert emit.start_time_unix_nano <= ack.start_time_unix_nano <= ack.end_time_unix_nano
    assert commit.end_time_unix_nano <= post.end_time_unix_nano


async def test_who_comes_later_is_part_of_the_trace(start_server, collector):
    """What is read from the log for a client that was away is a replay of the same event."""
    server = start_server(otlp_url=collector.url)
    server.http.post("/api/notifications", headers=server.bearer("shop", "publish") | FOLLOWED, json=BODY)
    epoch = server.service.store.epoch
    async with wire(server.url) as socket:
        await socket.connect(NS, {"token": server.mint("alice"), "epoch": epoch, "last_seq": 0})
        await socket.payload(NS, "notification")
        await socket.payload(NS, "synced")
        await socket.ask(NS, "ack", {"seq": 1})
    server.stop()

    assert ("commit", "replay notification") in collector.of_trace(TRACE)
    assert ("replay notification", "ack") in collector.of_trace(TRACE)


async def test_what_a_client_asks_for_is_followed(start_server, collector):
    """A message over a socket: from the event to the emit, on both sides."""
    server = start_server(otlp_url=collector.url)
    async with (
        connected(server.url, "/chat", server.mint("alice")) as alice,
        connected(server.url, "/chat", server.mint("bob")) as bob,
    ):
        await alice.ask("/chat", "send_message", {"to_user_id": "bob", "message": "message-secret"})
        await bob.payload("/chat", "message_received")
    server.stop()
    asked = collector.named("/chat send_message")

    told = collector.of_trace(asked.trace_id.hex())
    assert ("/chat send_message", "commit") in told
    assert {("commit", "emit message_received"), ("commit", "emit message_sent")} <= set(told)


def test_a_caller_that_is_not_followed_decides_so(start_server, collector):
    """Its flag says that its trace is not sampled: nothing is sent of it, whatever the share is."""
    server = start_server(otlp_url=collector.url)
    unfollowed = {"traceparent": f"00-{TRACE}-{CALLER}-00"}
    server.http.post("/api/notifications", headers=server.bearer("shop", "publish") | unfollowed, json=BODY)
    server.stop()

    assert [] == collector.of_trace(TRACE)


def test_a_share_of_none_follows_only_who_is_followed(start_server, collector):
    """And a parent that can't be read is none."""
    server = start_server(otlp_url=collector.url, trace_share=0.0)
    headers = server.bearer("shop", "publish")
    server.http.post("/api/notifications", headers=headers, json=BODY)
    server.http.post("/api/notifications", headers=headers | {"traceparent": "00-nonsense"}, json=BODY)
    server.http.post("/api/notifications", headers=headers | FOLLOWED, json=BODY)
    server.stop()

    assert 1 == len([span for span in collector.spans if span.name.startswith("POST")])


async def test_spans_tell_nothing_of_the_user(start_server, collector):
    """No id, title, message, token or query is in any of them."""
    server = start_server(otlp_url=collector.url)
    async with connected(server.url, NS, server.mint("alice")) as socket:
        made = server.http.post("/api/notifications", headers=server.bearer("shop", "publish"), json=BODY).json()
        await socket.payload(NS, "notification")
        server.http.get(f"/api/notifications/{made['id']}?token=query-secret", headers=server.bearer("alice"))
    server.stop()
    told = "".join(map(str, collector.spans))

    assert "POST /api/notifications" in told
    for secret in ("alice", "shop", "secret", "eyJ", made["id"]):
        assert secret not in told


def test_a_collector_that_is_away_stops_nothing(start_server):
    """Requests are answered, and the stop does not wait for it for long."""
    server = start_server(otlp_url="http://127.0.0.1:9")
    made = server.http.post("/api/notifications", headers=server.bearer("shop", "publish"), json=BODY)
    server.stop()

    assert 201 == made.status_code


def test_without_a_collector_nothing_of_it_is_imported(tmp_path):
    """Whoever wants no traces pays for none."""
    code = (
        "import sys; from tocsin import build; build(jwt_secret='x' * 32, _env_file=None); "
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)

    assert "[]" == told.stdout.strip()


@pytest.mark.parametrize("url", ["collector:4318", "ftp://collector", "http://user@collector", "http://c?x=1", ""])
def test_an_address_that_is_none_is_refused(url):
    """The start says so in one line."""
    if url:
        with pytest.raises(SettingsError, match="TOCSIN_OTLP_URL"):
            Settings(_env_file=None, otlp_url=url)
    else:
        assert Settings(_env_file=None, otlp_url=None).otlp_url is None
