"""What the doctor makes of a way to the server that breaks: each look has its line, whatever became of the others."""

import socketserver
import threading
from contextlib import contextmanager

import pytest
from websockets.sync.server import serve

from tocsin.cli.doctor import sockets
from tocsin.cli.doctor.finding import ok
from tocsin.cli.doctor.http import Site


@contextmanager
def running(server, port):
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Site(f"http://127.0.0.1:{port}")
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def answering(data):
    """A server that answers anything with these bytes."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(65_536)
            self.request.sendall(data)

    with (
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server,
        running(server, server.server_address[1]) as site,
    ):
        yield site


def lines(found):
    return [(one.level, one.text) for one in found]


@pytest.mark.parametrize(
    "data",
    [
        b"no HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n0{broken",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n0[]",
    ],
    ids=["no HTTP", "cut off", "no JSON", "another JSON"],
)
def test_an_answer_that_is_none_hides_no_other_look(data):
    """Polling, the WebSocket and the change from one to the other are told, a line each."""
    with answering(data) as site:
        found = lines(sockets.look(site))

    assert ["problem", "problem", "warning"] == [level for level, _ in found]
    assert ["polling does not open", "no WebSocket", "polling does not become a WebSocket"] == [
        text.partition(":")[0] for _, text in found
    ]


def test_a_look_that_breaks_keeps_what_it_has_found(monkeypatch):
    """And says so itself; its thread says nothing."""

    def breaks(_site):
        yield ok("socket", "so far so good")
        raise RuntimeError("hush-hush")

    monkeypatch.setattr(sockets, "_change", breaks)
    with answering(b"") as site:
        found = lines(sockets.look(site))

    assert [("ok", "so far so good"), ("problem", "it can't be looked at: RuntimeError")] == found[-2:]


@pytest.mark.parametrize("idle_s", [0.2, 1, 5])
def test_a_websocket_that_is_cut_at_once_does_not_stay_open(idle_s):
    """However short it was to be held."""
    ends = serve(lambda socket: socket.send("0{}"), "127.0.0.1", 0)
    with ends as server, running(server, server.socket.getsockname()[1]) as site:
        found = lines(sockets.look(site, idle_s))

    assert [text for level, text in found if level == "warning" and "is cut after" in text]
    assert not [text for _, text in found if "stays open" in text]


def test_a_websocket_that_is_held_stays_open():
    """As long as it was asked for."""
    goes = threading.Event()

    def hold(socket):
        socket.send("0{}")
        socket.send("2")
        goes.wait(10)

    with serve(hold, "127.0.0.1", 0) as server, running(server, server.socket.getsockname()[1]) as site:
        found = lines(sockets.look(site, 0.2))
        goes.set()

    assert ("ok", "a WebSocket stays open for 0.2 s, with 1 heartbeats") in found
