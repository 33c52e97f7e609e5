"""Views of a Flask application and sockets, in one process on one port: real HTTP, stock clients, real signals."""

import asyncio
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import socketio

from tests.acceptance import flask_host
from tests.acceptance.wire_socket import DEADLINE_S
from tocsin import Settings
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import UserId

pytestmark = pytest.mark.slow

SECRET = flask_host.app.config["SECRET_KEY"]
MIB = 1024 * 1024


class Program:
    """A program that serves; its output as it comes."""

    def __init__(self, command, folder, **environ):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_"))}
        clean |= {"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": "1", **environ}
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = []
        self._lines = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.output.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, pattern):
        """Return the next line of the output that has it."""
        while True:
            line = self._lines.get(timeout=60)
            assert line is not None, "".join(self.output)
            if found := re.search(pattern, line):
                return found

    def drain(self):
        """Return when all of an ended program's output is there."""
        self._reader.join(20)

    def stop(self, number=signal.SIGTERM):
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        self.drain()
        return code


@contextmanager
def program(command, folder, **environ):
    running = Program([sys.executable, *command], folder, **environ)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait()
        running.drain()
        running.process.stdout.close()


@contextmanager
def flask_server(folder, *options, **environ):
    command = [flask_host.__file__, "port=0", *options]
    with program(command, folder, TOCSIN_DRAIN_S="0", TOCSIN_HOST_THREADS="4", **environ) as running:
        running.url = running.wait_for(r"with flask_host on (http://\S+)")[1]
        yield running


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flask")
    big = folder / "big.bin"
    with big.open("wb") as file:
        file.truncate(50 * MIB)
    with flask_server(folder, BIG_FILE=str(big)) as running:
        yield running


@pytest.fixture
def http(server):
    with httpx.Client(base_url=server.url, trust_env=False, timeout=20) as client:
        yield client


def token(user_id):
    settings = Settings(_env_file=None, jwt_secret=SECRET, jwt_public_key=None)
    return issue_token(settings, UserId(str(user_id)), ttl_s=600)


@contextmanager
def connected(url, user_id, *namespaces):
    heard = queue.SimpleQueue()
    client = socketio.Client(reconnection=False)
    for namespace in namespaces:
        client.on("*", lambda event, data: heard.put((event, data)), namespace=namespace)
    client.connect(url, auth={"token": token(user_id)}, namespaces=list(namespaces), transports=["polling"])
    try:
        yield client, heard
    finally:
        client.disconnect()


def test_views_and_sockets_share_a_port(server, http):
    """A view publishes and a stock client on the same port hears it; the API is there, too."""
    with connected(server.url, 5, "/sns") as (_, heard):
        published = http.get("/publish/5").json()["events"]
        while (event := heard.get(timeout=DEADLINE_S))[0] != "publish_success":
            pass

    assert http.get("/").text == "front"
    assert event[1]["event_id"] == published[0]["event_id"]
    assert http.get("/healthz").json() == {"status": "ok"}
    for path in ("/js/websocket.js", "/js/push.js", "/tocsin-sw.js"):
        assert http.get(path).status_code == 200


def test_handlers_run_in_the_applications_context(server):
    """`@socketio.on` without a namespace takes events of `/`, and `current_app` is the application."""
    with connected(server.url, 6, "/") as (client, _):
        ack = client.call("message", {"a": 1}, timeout=DEADLINE_S)

    assert {"ok": True, "application": "flask_host", "echo": {"a": 1}, "same": "flask_host"} == ack


EMITS = """
import sys
from flask import Flask
from tocsin.websocket_server import init_websocket

app = Flask("emits")
app.config["SECRET_KEY"] = sys.argv[1]
socketio = init_websocket(app)

@app.get("/emit/<int:user_id>")
def emit(user_id):
    socketio.emit("hello", {"a": 1}, to=user_id)
    return ""

socketio.run(app, port=0)
"""


def test_emit_reaches_clients_where_no_handler_is(tmp_path):
    """`/` is there for whoever only listens; a doubled slash in its address is not told that nobody serves sockets."""
    with program(["-c", EMITS, SECRET], tmp_path, TOCSIN_DRAIN_S="0") as running:
        url = running.wait_for(r"with emits on (http://\S+)")[1]
        with connected(url, 8, "/") as (_, heard):
            httpx.get(f"{url}/emit/8", trust_env=False)
            assert heard.get(timeout=DEADLINE_S) == ("hello", {"a": 1})
        missed = httpx.get(f"{url}//socket.io/?EIO=4&transport=polling", trust_env=False)

    assert missed.status_code == 404
    assert "serves no sockets" not in missed.text


def test_views_beyond_the_threads_wait_and_sockets_do_not(server, http):
    """Twelve slow views on four threads are all answered, and an event is acked meanwhile."""
    with connected(server.url, 7, "/") as (client, _), ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(httpx.get, f"{server.url}/slow", timeout=20, trust_env=False) for _ in range(12)]
        ack = client.call("message", 1, timeout=DEADLINE_S)
        assert ack["ok"]
        assert [answer.result().text for answer in answers] == ["slow"] * 12


def test_a_view_gets_the_request_as_wsgi_has_it(http):
    """Path, query, cookies, repeated headers and the proxy's word arrive; headers with an underscore do not."""
    headers = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("x-a", "1"),
        ("x-a", "2"),
        ("x_a", "3"),
    ]
    seen = http.get("/environ?q=%C3%BC", headers=headers).json()

    assert seen == {
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.url_scheme": "https",
        "PATH_INFO": "/environ",
        "QUERY_STRING": "q=%C3%BC",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_A": "1,2",
        "REQUEST_METHOD": "GET",
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
    }
    assert http.get("/things/%EC%95%88/%2F").json() == {"name": "안//"}


def test_fifty_megabytes_up_and_down_are_not_held_in_memory(http):
    """Large bodies, with a length and chunked, pass through a bounded buffer."""
    before = int(http.get("/peak").text)

    def body():
        for _ in range(50):
            yield b"y" * MIB

    chunked = http.post("/length", content=body()).json()
    sized = http.post("/length", content=b"y" * 50 * MIB).json()
    with http.stream("GET", "/big") as answer:
        streamed = sum(len(block) for block in answer.iter_bytes())
    with http.stream("GET", "/file") as answer:
        sent = sum(len(block) for block in answer.iter_bytes())
    after = int(http.get("/peak").text)

    assert (chunked["length"], sized["length"]) == (50 * MIB, 50 * MIB)
    assert (streamed, sent) == (50_000_000, 50 * MIB)
    assert after - before < 20 * 1024


def test_a_body_is_read_by_lines(http):
    """Lines longer than a read and a last one without an end come whole."""
    long = "z" * 200_000
    assert http.post("/lines", content=f"a\n{long}\nb").json()["lines"] == ["a\n", f"{long}\n", "b"]


def test_a_bodys_limit_is_flasks(http):
    """413 comes from Flask, and the connection goes on being used."""
    assert http.post("/small", content=b"x" * 5_000_000).status_code == 413
    assert http.post("/small", content=b"x").json() == {"length": 1}


def test_pieces_of_a_stream_are_sent_as_they_come(server, http):
    """The first piece is there before the second is made."""
    with http.stream("GET", "/turns") as answer:
        pieces = answer.iter_raw()
        first = next(pieces)
        httpx.get(f"{server.url}/turn", trust_env=False)
        rest = b"".join(pieces)

    assert (first, rest) == (b"first", b"second")


def test_a_client_that_leaves_ends_its_stream(server, http):
    """The generator is closed although it would never end by itself."""
    with http.stream("GET", "/endless") as answer:
        next(answer.iter_raw())

    assert httpx.get(f"{server.url}/closed", trust_env=False, timeout=20).json() == {"closed": True}


def test_a_body_that_breaks_off_is_never_taken_for_a_whole_one(server):
    """A client that leaves in the middle is an error of the view, also with a chunked body."""
    host, port = server.url.removeprefix("http://").split(":")
    for head in (b"Content-Length: 1000\r\n\r\nabc\nd", b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc\nd\r\n"):
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(b"POST /lines HTTP/1.1\r\nHost: a\r\n" + head)
            client.shutdown(socket.SHUT_WR)
            while client.recv(65_536):
                pass

    assert not any("abc" in line for line in server.output)
    assert httpx.get(f"{server.url}/", trust_env=False).text == "front"


def test_failures_of_views(http):
    """An exception is Flask's 500 page, `sys.exit` ends no server, a broken stream ends its connection."""
    failed, exited, teapot = http.get("/fails"), http.get("/exits"), http.get("/teapot")
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/fails-late")

    assert (failed.status_code, "Internal Server Error" in failed.text) == (500, True)
    assert (exited.status_code, teapot.status_code) == (500, 418)
    assert http.get("/").text == "front"


def test_head_and_keep_alive(server):
    """HEAD has no body, and the next request goes over the same connection."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = b""
        while block := client.recv(65_536):
            answer += block

    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.count(b"front") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_drains(tmp_path, number):
    """Clients are told to come back, what is published is kept, and the exit code is 0."""

    async def live(url):
        told = asyncio.Event()
        client = socketio.AsyncClient(reconnection=False)
        client.on("server_draining", lambda _: told.set(), namespace="/sns")
        await client.connect(url, auth={"token": token(1)}, namespaces=["/sns"], transports=["websocket"])
        code = await asyncio.to_thread(running.stop, number)
        await asyncio.wait_for(told.wait(), DEADLINE_S)
        await client.disconnect()
        return code

    with flask_server(tmp_path) as running:
        assert asyncio.run(live(running.url)) == 0
    with flask_server(tmp_path) as again:
        assert httpx.get(f"{again.url}/publish/1", trust_env=False).json()["events"][0]["seq"] == 1


def test_a_view_that_hangs_does_not_keep_the_process(tmp_path):
    """A signal ends the server within its time, whatever a view does."""
    with flask_server(tmp_path) as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(b"GET /turns HTTP/1.1\r\nHost: a\r\n\r\n")
            client.recv(65_536)
            assert running.stop() == 0

    output = "".join(running.output)
    assert "cut by the stop: GET '/turns'" in output
    assert "Traceback" not in output


def test_a_taken_port_is_one_line(tmp_path, server):
    """No traceback: what is wrong and how to mend it."""
    port = server.url.rpartition(":")[2]
    with program([flask_host.__file__, f"port={port}"], tmp_path) as running:
        assert running.process.wait(60) == 1
        running.drain()
    assert "Traceback" not in "".join(running.output)
    assert running.output[-1].startswith(f"tocsin: can't listen on 127.0.0.1:{port}")


def test_a_refused_client_is_a_line_of_the_log_without_its_token(server):
    """`grep websocket` finds who was sent away and why."""
    client = socketio.Client(reconnection=False)
    with pytest.raises(socketio.exceptions.ConnectionError):
        client.connect(server.url, auth={"token": "not.a.token"}, namespaces=["/sns"], transports=["polling"])
    client.disconnect()
    httpx.get(f"{server.url}/", trust_env=False)
    refused = server.wait_for("websocket: a client was refused on /sns: ")

    assert refused
    assert not any("not.a.token" in line for line in server.output)
