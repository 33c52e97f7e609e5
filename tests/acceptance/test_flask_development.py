"""Debug mode: the debugger in the browser, a new process at each change, and a clean end."""

import os
import signal
import time

import httpx
import pytest

from tests.acceptance.test_flask_hosting import program

pytestmark = pytest.mark.slow

APP = """
from flask import Flask
from tocsin.websocket_server import broadcast_sns_event, init_websocket

app = Flask("developed")
app.config["SECRET_KEY"] = "a secret of a host, of more than thirty-two bytes"
socketio = init_websocket(app)

@app.get("/")
def front():
    return "one"

@app.get("/publish")
def publish():
    # Not waited for: the reload must not lose it.
    broadcast_sns_event("publish_success", 1, {"post_id": 1})
    return ""

@app.get("/last")
def last():
    return broadcast_sns_event("publish_success", 1, {"post_id": 1}).wait(10)[0]

@app.get("/fails")
def fails():
    raise RuntimeError("shown in the browser")

if __name__ == "__main__":
    socketio.run(app, port=0, OPTIONS)
"""


def write(folder, options):
    path = folder / "developed.py"
    path.write_text(APP.replace("OPTIONS", options))
    return path


def test_the_debugger_is_in_the_page_behind_its_pin(tmp_path):
    """`debug=True` shows a traceback for this machine's hosts; its console asks for a PIN."""
    path = write(tmp_path, "debug=True, use_reloader=False, log_output=True, allow_unsafe_werkzeug=True")
    with program([str(path)], tmp_path) as running:
        url = running.wait_for(r"with developed on (http://\S+)")[1]
        with httpx.Client(base_url=url, trust_env=False, timeout=20) as http:
            page = http.get("/fails")
            console = http.get("/fails", params={"__debugger__": "yes", "cmd": "1+1", "frm": "0", "s": "wrong"})
        assert running.stop() == 0

    assert page.status_code == 500
    assert "shown in the browser" in page.text
    assert "EVALEX_TRUSTED = false" in page.text
    assert console.text != "2"
    assert any("allow_unsafe_werkzeug, log_output: without effect" in line for line in running.output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_change_starts_a_new_process_that_has_everything(tmp_path, number):
    """What was handed over before the reload is in the log after it; a signal to the watcher ends both."""
    path = write(tmp_path, "debug=True, reloader_type='stat', reloader_interval=0.1")
    with program([str(path)], tmp_path) as running:
        url = running.wait_for(r"with developed on (http://\S+)")[1]
        for _ in range(5):
            httpx.get(f"{url}/publish", trust_env=False)
        path.write_text(path.read_text().replace('"one"', '"two"'))
        os.utime(path, (time.time() + 5, time.time() + 5))
        running.wait_for("stopped")
        url = running.wait_for(r"with developed on (http://\S+)")[1]
        front = httpx.get(url, trust_env=False).text
        last = httpx.get(f"{url}/last", trust_env=False).json()
        assert running.stop(number) == 0

    assert (front, last["seq"]) == ("two", 6)
    assert len([line for line in running.output if line.endswith(": stopped\n")]) == 2


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("ssl_context='adhoc'", "tocsin: run(ssl_context=…): set TOCSIN_TLS_CERTIFICATE and TOCSIN_TLS_KEY"),
        ("wsgi_server=1", "tocsin: run(wsgi_server=…): there is no such option"),
        ("debug=True, reloader_options={'x': 1}", "tocsin: reloader_options: there is no x"),
    ],
)
def test_what_cannot_be_had_is_told_in_one_line(tmp_path, options, line):
    """An option that means something elsewhere is not passed over in silence."""
    with program([str(write(tmp_path, options))], tmp_path) as running:
        assert running.process.wait(30) == 2
        running.drain()

    assert running.output[-1].startswith(line)


def test_async_mode_asgi_does_not_fit_flask(tmp_path):
    """The line says which mode does."""
    with program([str(write(tmp_path, ""))], tmp_path, SOCKETIO_ASYNC_MODE="asgi") as running:
        assert running.process.wait(30) == 2
        running.drain()

    assert "views of Flask run in threads: use threading" in running.output[-1]


def test_a_server_that_cannot_start_ends_its_watcher_too(tmp_path):
    """A taken port is one line also with the reloader."""
    with program([str(write(tmp_path, ""))], tmp_path) as first:
        port = first.wait_for(r"with developed on http://\S+:(\d+)")[1]
        path = tmp_path / "second.py"
        path.write_text(APP.replace("port=0, OPTIONS", f"port={port}, debug=True"))
        with program([str(path)], tmp_path) as second:
            assert second.process.wait(30) == 1
            second.drain()
        first.stop()

    assert second.output[-1].startswith("tocsin: can't listen on")


def test_under_the_flask_command_the_page_is_told_where_the_server_is(tmp_path):
    """`flask run` serves no sockets: their paths answer with what to start instead."""
    path = write(tmp_path, "")
    path.write_text(path.read_text().replace('if __name__ == "__main__":', "if True:"))
    command = ["-m", "flask", "--app", str(path), "run", "--port", "0"]
    with program(command, tmp_path) as running:
        url = running.wait_for(r"Running on (http://\S+)")[1]
        with httpx.Client(base_url=url, trust_env=False, timeout=20) as http:
            answers = [http.get(path) for path in ("/socket.io/?EIO=4", "/js/websocket.js", "/api/notifications")]
            other = http.get("/elsewhere")

    assert [answer.status_code for answer in answers] == [404] * 3
    assert all("tocsin serve" in answer.json()["detail"] for answer in answers)
    assert "tocsin" not in other.text
    assert any("run() does nothing under the flask command" in line for line in running.output)
