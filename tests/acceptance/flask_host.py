"""A Flask application with views of every kind; run as a program, it serves itself with its sockets."""

import logging
import os
import sys
import threading
import time
from pathlib import Path

from flask import Flask, Response, abort, current_app, request, send_file

from tocsin.websocket_server import broadcast_sns_event, init_websocket

FILE = os.environ.get("BIG_FILE", "")
closed = threading.Event()
app = Flask(__name__)
app.config.update(SECRET_KEY="a secret of a host, of more than thirty-two bytes")
socketio = init_websocket(app)


@app.get("/")
def front():
    return "front"


@app.get("/environ")
def environ():
    names = ("REMOTE_ADDR", "wsgi.url_scheme", "PATH_INFO", "QUERY_STRING", "HTTP_COOKIE", "HTTP_X_A", "REQUEST_METHOD")
    return {name: request.environ.get(name) for name in (*names, "wsgi.multithread", "wsgi.multiprocess")}


@app.get("/things/<path:name>")
def things(name):
    return {"name": name}


@app.post("/length")
def length():
    total = 0
    while block := request.stream.read(100_000):
        total += len(block)
    return {"length": total, "peak": peak()}


@app.post("/lines")
def lines():
    return {"lines": [line.decode() for line in request.stream]}


@app.post("/small")
def small():
    request.max_content_length = 1_000
    return {"length": len(request.get_data())}


@app.get("/big")
def big():
    block = b"x" * 100_000
    return Response((block for _ in range(500)), mimetype="application/octet-stream")


@app.get("/file")
def file():
    return send_file(FILE)


@app.get("/peak")
def peak():
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))


@app.get("/endless")
def endless():
    def pieces():
        try:
            while True:
                yield b"tick\n"
                time.sleep(0.02)
        finally:
            closed.set()

    return Response(pieces(), mimetype="text/plain")


@app.get("/closed")
def is_closed():
    return {"closed": closed.wait(10)}


@app.get("/turns")
def turns():
    turn = threading.Event()
    app.config["TURN"] = turn

    def pieces():
        yield b"first"
        turn.wait(20)
        yield b"second"

    return Response(pieces())


@app.get("/turn")
def next_turn():
    app.config["TURN"].set()
    return ""


@app.get("/slow")
def slow():
    time.sleep(0.3)
    return "slow"


@app.get("/fails")
def fails():
    raise RuntimeError("a view failed")


@app.get("/fails-late")
def fails_late():
    def pieces():
        yield b"a beginning"
        raise RuntimeError("a stream failed")

    return Response(pieces(), headers={"Content-Length": "1000"})


@app.get("/exits")
def exits():
    sys.exit(3)


@app.get("/teapot")
def teapot():
    abort(418)


@app.get("/publish/<int:user_id>")
def publish(user_id):
    receipt = broadcast_sns_event("publish_success", user_id, {"post_id": 1, "platforms": ["instagram"]})
    return {"events": receipt.wait(10)}


@socketio.on("message")
def message(data):
    return {"application": app.name, "echo": data, "same": current_app.name}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    socketio.run(app, **{name: int(value) for name, value in (pair.split("=") for pair in sys.argv[1:])})
