"""The doors: which protocol a connection gets."""

from types import SimpleNamespace

import pytest
from uvicorn import Config
from uvicorn.protocols.websockets.auto import AutoWebSocketsProtocol

from tests.unit.engine.fakes import TEXT, FakeTcp, Recorder, client_frame, make_server, texts, until, uvicorn_state
from tocsin.engine.limits import Limits
from tocsin.engine.origins import allow_list
from tocsin.engine.polling import PollingTransport
from tocsin.engine.upgrade import BoundedHttp
from tocsin.engine.websocket import WebSocketTransport


def head(path="/engine.io/?EIO=4&transport=websocket", **headers):
    fields = {
        "Host": "api.example",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value), "", ""]
    return "\r\n".join(lines).encode()


async def application(scope, receive, send):
    await receive()
    await send({"type": "websocket.close", "code": 1000})


@pytest.fixture(params=["websocket_protocol", "http_protocol"])
def connect(request):
    """Open a connection at one of the doors, say something, and return what became of it."""

    def open_door(data, *, loops=1, peer="203.0.113.5", **options):
        server, loop = make_server(Recorder, **options)
        config = Config(application, lifespan="off")
        config.load()
        state = uvicorn_state()
        door = getattr(server, request.param)(config=config, server_state=state, app_state={})
        tcp = FakeTcp(peer)
        tcp.protocol = door
        door.connection_made(tcp)
        door.data_received(data)
        loop.turn()
        return SimpleNamespace(server=server, loop=loop, tcp=tcp, state=state, door=door)

    return open_door


def status(tcp):
    return int(tcp.sent.split(b" ", 2)[1])


def test_an_upgrade_opens_a_session(connect):
    """101 and the handshake leave together; the transport takes over."""
    seen = connect(head())

    assert 101 == status(seen.tcp)
    assert 1 == len(seen.tcp.writes)
    assert isinstance(seen.tcp.protocol, WebSocketTransport)
    assert {seen.tcp.protocol} == seen.state.connections
    [session] = seen.server.sessions.values()
    assert ("203.0.113.5", ["opened"]) == (session.remote_address, session.received)
    assert 1 == len(seen.server.wheel)


@pytest.mark.parametrize(
    ("request_head", "answer"),
    [
        (head("/engine.io/?EIO=3&transport=websocket"), 400),
        (head("/engine.io/?EIO=4&transport=websocket&sid=unknown"), 400),
        (head(Sec_WebSocket_Key="short"), 400),
        (head(Sec_WebSocket_Version="8"), 426),
        (head(Origin="https://evil.example"), 403),
        (head(Origin="null"), 403),
    ],
)
def test_refusals_close_the_connection(connect, request_head, answer):
    """A refusal is a whole HTTP answer, and counted."""
    seen = connect(request_head)

    assert answer == status(seen.tcp)
    assert seen.tcp.is_closing()
    assert {} == seen.server.sessions
    assert 1 == sum(count for label, count in seen.server.stats.items() if label.startswith("refused:"))


def test_allowed_pages_connect(connect):
    """A listed or the own page may."""
    assert 101 == status(connect(head(Origin="http://api.example")).tcp)
    assert 101 == status(connect(head(Origin="https://a.example"), allow_origin=allow_list(["https://a.example"])).tcp)


def test_forwarded_pages_connect(connect):
    """Behind a proxy the page's scheme and host are the forwarded ones, and the client's address too."""
    forwarded = head(Origin="https://shop.example", X_Forwarded_Proto="https", X_Forwarded_Host="shop.example")
    assert 101 == status(connect(forwarded, peer="127.0.0.1").tcp)
    assert 403 == status(connect(forwarded).tcp)

    seen = connect(head(X_Forwarded_For="198.51.100.1"), peer="127.0.0.1")
    assert ["198.51.100.1"] == [session.remote_address for session in seen.server.sessions.values()]


def test_handshakes_are_bounded(connect):
    """Beyond the rate: 503 with Retry-After."""
    limits = Limits(handshakes_per_s=0.001, handshakes_burst=1)
    seen = connect(head(), limits=limits)
    second = seen.server.http_protocol(config=None, server_state=seen.state, app_state={})
    tcp = FakeTcp()
    second.connection_made(tcp)
    second.data_received(head())

    assert 503 == status(tcp)
    assert b"\r\nRetry-After: 1\r\n" in tcp.sent


def test_a_draining_server_refuses(connect):
    """While draining: 503 with Retry-After; probes and messages go on."""
    server, _ = make_server()
    server.refuse_new = True
    door = server.http_protocol(config=None, server_state=uvicorn_state(), app_state={})
    tcp = FakeTcp()
    door.connection_made(tcp)
    door.data_received(head())

    assert 503 == status(tcp)
    assert b"Retry-After" in tcp.sent


def test_addresses_are_bounded(connect):
    """An address gets so many sessions; one that ends makes room, proxies don't count."""
    server, _ = make_server(limits=Limits(connections_per_address=1))

    def knock(peer):
        door = server.http_protocol(config=None, server_state=uvicorn_state(), app_state={})
        tcp = FakeTcp(peer)
        door.connection_made(tcp)
        door.data_received(head())
        return status(tcp)

    assert [101, 429, 101] == [knock("203.0.113.5"), knock("203.0.113.5"), knock("203.0.113.6")]
    assert [101, 101] == [knock("127.0.0.1"), knock("127.0.0.1")]
    next(iter(server.sessions.values())).close()
    assert 101 == knock("203.0.113.5")


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHos", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_connections_without_a_websocket_are_bounded(data):
    """What an address holds besides its sessions is counted until it ends; proxies don't count."""
    server, _ = make_server(limits=Limits(connections_per_address=1))
    config = Config(application, lifespan="off", log_config=None)
    config.load()

    def knock(peer="203.0.113.5", said=data):
        tcp = FakeTcp(peer)
        tcp.protocol = server.http_protocol(config=config, server_state=uvicorn_state(), app_state={})
        tcp.protocol.connection_made(tcp)
        if tcp.is_aborted:
            tcp.protocol.connection_lost(None)
        elif said:
            tcp.protocol.data_received(said)
        return tcp

    first, *others = [knock() for _ in range(4)]
    assert [False] * 4 + [True] == [tcp.is_aborted for tcp in (first, *others, knock())]
    assert not any(tcp.is_aborted for tcp in (knock("203.0.113.6"), *[knock("127.0.0.1") for _ in range(5)]))
    first.protocol.connection_lost(None)
    assert b"101" in knock(said=head()).sent
    assert [False, True] == [knock().is_aborted, knock().is_aborted]


def test_a_proxy_in_the_network_of_its_neighbours_counts_for_none_of_them():
    """Whoever is not counted as it comes is not counted as it goes."""
    server, _ = make_server(limits=Limits(connections_per_address=1), trusted_proxies=["2001:db8::1"])
    for _ in range(4):
        assert server.came("2001:db8::2")
    assert server.came("2001:db8::1")
    server.went("2001:db8::1")

    assert not server.came("2001:db8::2")


def test_probes_of_an_address_are_bounded():
    """A WebSocket for a session that polls is counted until it is that session's."""
    server, _ = make_server(limits=Limits(connections_per_address=1))
    session, _ = server.open("203.0.113.5", ("websocket",))
    session.start(PollingTransport(server, session))

    def knock():
        tcp = FakeTcp()
        tcp.protocol = server.http_protocol(config=None, server_state=uvicorn_state(), app_state={})
        tcp.protocol.connection_made(tcp)
        if tcp.is_aborted:
            tcp.protocol.connection_lost(None)
        else:
            tcp.protocol.data_received(head(f"/engine.io/?EIO=4&transport=websocket&sid={session.sid}"))
        return tcp

    first, *others = [knock() for _ in range(4)]
    assert [False] * 4 + [True] == [tcp.is_aborted for tcp in (first, *others, knock())]
    others[0].protocol.connection_lost(None)
    assert [False, True] == [knock().is_aborted, knock().is_aborted]
    for packet in ("2probe", "5"):
        first.protocol.data_received(client_frame(TEXT, packet))
    assert [False, True] == [knock().is_aborted, knock().is_aborted]
    first.protocol.connection_lost(None)
    assert knock().is_aborted


@pytest.mark.parametrize(
    "path", ["/other", "/engine.io-admin/?EIO=4&transport=websocket", "/engine.io/x?EIO=4&transport=websocket"]
)
async def test_other_paths_are_uvicorns(connect, path):
    """A WebSocket of the host application goes to uvicorn's own class, whichever the door."""
    seen = connect(head(path))
    await until(lambda: seen.tcp.sent)

    assert isinstance(seen.tcp.protocol, AutoWebSocketsProtocol)
    assert {} == seen.server.sessions


def test_first_bytes_may_bring_a_frame():
    """A client that doesn't wait for the answer loses nothing."""
    server, _ = make_server(Recorder)
    door = server.http_protocol(config=None, server_state=uvicorn_state(), app_state={})
    tcp = FakeTcp()
    door.connection_made(tcp)
    door.data_received(head() + client_frame(TEXT, "4early"))

    [session] = server.sessions.values()
    assert ["opened", "4early"] == session.received
    assert texts(tcp.sent.partition(b"\r\n\r\n")[2])[0].startswith("0{")


def http_door(**limits):
    server, loop = make_server(Recorder, limits=Limits(**limits))
    config = Config(application, lifespan="off", log_config=None)
    config.load()
    state = uvicorn_state()
    door = server.http_protocol(config=config, server_state=state, app_state={})
    tcp = FakeTcp()
    tcp.protocol = door
    door.connection_made(tcp)
    return server, loop, tcp


def test_a_connection_that_asks_nothing_is_cut():
    """The request head has a deadline from the first moment."""
    _, loop, tcp = http_door(head_deadline_s=5.0)
    loop.advance(6)

    assert tcp.is_aborted


def test_a_trickle_of_headers_is_cut():
    """A head that never ends does not hold a connection."""
    server, loop, tcp = http_door(head_deadline_s=5.0)
    tcp.protocol.data_received(b"GET / HTTP/1.1\r\nHost:")
    assert isinstance(tcp.protocol, BoundedHttp)
    loop.advance(6)

    assert tcp.is_aborted
    assert 1 == server.stats["refused:header"]


def test_a_huge_head_is_refused_while_it_comes():
    """The bound holds for plain HTTP, without waiting for the end of the head."""
    server, _, tcp = http_door(max_header=1000)
    tcp.protocol.data_received(b"GET / HTTP/1.1\r\n")
    for _ in range(60):
        tcp.protocol.data_received(b"X-Padding: " + b"x" * 100 + b"\r\n")
        if tcp.is_closing():
            break

    assert tcp.is_closing()
    assert 1 == server.stats["refused:header"]


def test_a_huge_field_is_refused_when_it_is_whole():
    """A head over the bound in one read is answered 400."""
    server, _, tcp = http_door(max_header=1000)
    tcp.protocol.data_received(b"GET / HTTP/1.1\r\nX-Padding: " + b"x" * 2000 + b"\r\n\r\n")

    assert 400 == status(tcp)
    assert tcp.is_closing()
    assert 1 == server.stats["refused:header"]


def test_a_huge_upgrade_is_refused():
    """An upgrade that uvicorn parsed is measured as well."""
    server, _ = make_server(Recorder)
    door = server.websocket_protocol(config=None, server_state=uvicorn_state(), app_state={})
    tcp = FakeTcp()
    door.connection_made(tcp)
    door.data_received(head(X_Padding="x" * 20_000))

    assert 431 == status(tcp)
    assert tcp.is_closing()
