"""``/metrics`` over a real connection: what it tells, and whom."""

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.wire_socket import Refused, eventually, wire
from tocsin.metrics import CATALOGUE

NS = "/notifications"


def scrape(server, **options):
    """Return the samples by name and values of the labels."""
    answer = server.http.get("/metrics", **options)
    assert 200 == answer.status_code
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def publish(server, body):
    answer = server.http.post("/api/notifications", headers=server.bearer("b", "publish"), json=body)
    assert 201 == answer.status_code


async def test_what_happens_is_counted(server):
    """A client comes, is told of a notification, acks it and goes: each step is in the numbers."""
    async with wire(server.url) as socket:
        await socket.connect(NS, {"token": server.mint(7)})
        await socket.payload(NS, "synced")
        body = {"user_id": 7, "type": "t", "title": "t", "message": "m"}
        publish(server, body)
        await socket.payload(NS, "notification")
        behind = scrape(server)
        assert {"ok": True} == await socket.ask(NS, "ack", {"seq": 1})
        found = scrape(server)

    assert 1 == found["tocsin_connections", "websocket"]
    assert 1 == found["tocsin_sockets", NS] == found["tocsin_users",] == found["tocsin_streams", NS]
    assert 1 == found["tocsin_handshakes_total",]
    assert 1 == found["tocsin_events_committed_total", NS] == found["tocsin_events_received_total", NS]
    assert found["tocsin_events_sent_total", NS] >= 2
    assert found["tocsin_commit_seconds_count",] >= 1
    assert 1 == found["tocsin_http_requests_total", "POST", "/api/notifications", "201"]
    assert 1 == found["tocsin_http_request_seconds_count", "/api/notifications"]
    assert 0 == behind["tocsin_stream_lag_events", NS] == found["tocsin_stream_lag_events", NS]
    assert found["process_resident_memory_bytes",] > 0


async def test_lag_is_what_was_sent_and_not_acked(server):
    """From the first ack on; a client that never acks is not behind."""
    async with wire(server.url) as socket:
        await socket.connect(NS, {"token": server.mint(7)})
        await socket.payload(NS, "synced")
        for number in range(3):
            publish(server, {"user_id": 7, "type": "t", "title": f"{number}", "message": "m"})
            await socket.payload(NS, "notification")
        await socket.ask(NS, "ack", {"seq": 1})
        found = scrape(server)

    assert (2, 2) == (found["tocsin_stream_lag_events", NS], found["tocsin_stream_lag_max_events", NS])


async def test_a_cursor_that_cannot_be_resumed_is_counted_by_reason(server):
    """And one that can, with what was sent again."""
    headers = server.bearer("b", "publish")
    server.http.post(
        "/api/notifications", headers=headers, json={"user_id": 7, "type": "t", "title": "t", "message": ""}
    )
    async with wire(server.url) as socket:
        await socket.connect(NS, {"token": server.mint(7), "epoch": "another", "last_seq": 1})
        resync = await socket.payload(NS, "resync")
    async with wire(server.url) as socket:
        await socket.connect(NS, {"token": server.mint(7), "epoch": resync["epoch"], "last_seq": 0})
        await socket.payload(NS, "synced")
    found = scrape(server)

    assert 1 == found["tocsin_resyncs_total", resync["reason"]]
    assert (1, 1) == (found["tocsin_replays_total",], found["tocsin_events_replayed_total", NS])


async def test_every_door_tells_what_it_refused(server):
    """A wrong token and a wrong body over REST, a wrong CONNECT, a wrong event, an unknown session."""
    server.http.get("/api/notifications")
    server.http.post("/api/notifications", headers=server.bearer("b", "publish"), json={})
    server.http.get("/api/notifications", headers={"Origin": "https://evil.example"})
    server.http.get("/socket.io/?EIO=4&transport=polling&sid=nobody")
    async with wire(server.url) as socket:
        with pytest.raises(Refused):
            await socket.connect(NS, {"token": "no token"})
        await socket.connect("/chat", {"token": server.mint(7)})
        await socket.ask("/chat", "ack", {"seq": "1"})
    found = scrape(server)

    assert 1 == found["tocsin_refusals_total", "rest", "unauthenticated"]
    assert 1 == found["tocsin_refusals_total", "rest", "invalid"]
    assert 1 == found["tocsin_refusals_total", "rest", "foreign_origin"]
    assert 1 == found["tocsin_refusals_total", "engine", "sid"]
    assert 1 == found["tocsin_refusals_total", "connect", "unauthenticated"]
    assert 1 == found["tocsin_refusals_total", "event", "invalid"]


def test_labels_hold_nothing_that_a_client_chose(server):
    """Paths, methods and ids of requests are told by the route's template, or not at all."""
    for path in ("/api/notifications/secret-1", "/secret-2", "/js/secret-3.js", "/api/stream/secret-4"):
        server.http.request("MKCOL", path)
        server.http.get(path, headers=server.bearer("secret-5"))
    text = server.http.get("/metrics").text

    assert "secret" not in text.lower()
    assert 'route="/api/notifications/{notification_id}"' in text
    assert 'method="other",route="other"' in text


async def test_a_client_that_left_is_counted_by_reason(server):
    """And is no connection any more."""
    async with wire(server.url) as socket:
        await socket.connect(NS, {"token": server.mint(7)})
    await eventually(lambda: not server.service.engine.connections)
    found = scrape(server)

    assert (0, 1) == (found["tocsin_connections", "websocket"], found["tocsin_disconnects_total", "transport close"])


def test_every_metric_of_the_catalogue_is_told(server):
    """One without a value yet still has its help and type."""
    text = server.http.get("/metrics").text

    for metric in CATALOGUE:
        assert f"# TYPE {metric.name} {metric.kind}" in text


@pytest.mark.parametrize("path", ["/metrics", "/metrics/"])
def test_without_metrics_there_is_nothing(start_server, path):
    """``off``: the path is no path of ours."""
    assert 404 == start_server(metrics="off").http.get(path).status_code


def test_readers_on_this_machine_need_no_token(shared_server):
    """That is the default; Prometheus beside the server just reads."""
    assert 200 == shared_server.http.get("/metrics").status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.9"},
        {"X-Forwarded-For": "127.0.0.1, 203.0.113.9"},
        {"Host": "rebound.example"},
        {"Host": "localhost.evil.example:8000"},
    ],
)
def test_others_need_a_token(shared_server, headers):
    """Behind a proxy its client counts; a page that had its name rebound to this machine is a stranger."""
    answer = shared_server.http.get("/metrics", headers=headers)

    assert (401, "unauthenticated") == (answer.status_code, answer.json()["code"])
    assert "tocsin_" not in answer.text


@pytest.mark.parametrize(("scope", "status"), [("admin", 200), ("publish", 403), ("", 403)])
def test_the_token_needs_the_scope_admin(shared_server, scope, status):
    """Wherever its bearer is."""
    headers = shared_server.bearer("ops", scope) | {"X-Forwarded-For": "203.0.113.9"}

    assert status == shared_server.http.get("/metrics", headers=headers).status_code


def test_a_token_can_be_asked_of_everybody(start_server):
    """``token``: also of readers on this machine."""
    server = start_server(metrics="token")

    assert 401 == server.http.get("/metrics").status_code
    assert 200 == server.http.get("/metrics", headers=server.bearer("ops", "admin")).status_code


def test_they_can_be_open(start_server):
    """``open``: whoever reaches the server may read."""
    answer = start_server(metrics="open").http.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})

    assert 200 == answer.status_code


def test_openmetrics_is_negotiated(shared_server):
    """As Prometheus asks for it."""
    answer = shared_server.http.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})

    assert answer.headers["content-type"].startswith("application/openmetrics-text")


def test_a_proxy_that_is_not_trusted_forwards_nothing(start_server):
    """Its headers are anybody's words: the peer counts."""
    server = start_server(trusted_proxies=("10.0.0.0/8",))

    with httpx.Client(base_url=server.url, trust_env=False) as http:
        assert 200 == http.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code


def test_what_dashboard_and_alerts_ask_for_is_in_a_scrape(shared_server):
    """Grafana and Prometheus find each of their series under a name that the server tells."""
    deploy = Path(__file__).parents[2] / "deploy"
    files = (deploy / "grafana/tocsin.json", deploy / "prometheus/tocsin.rules.yml")
    asked = {name for file in files for name in re.findall(r"\b(?:tocsin|process)_[a-z_]+\b", file.read_text())}
    text = shared_server.http.get("/metrics").text
    told = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    told |= {f"{name}_{part}" for name in told for part in ("bucket", "sum", "count")}

    assert set() == asked - told - {"process_"}
