"""
The guide's stack under the bench's trigger protocol: Flask-SocketIO, threading, Flask-SQLAlchemy.

One thread a connection on Werkzeug's server, so the bench gives it at most
1,000. ``POST /api/notifications`` stores a row, commits, then emits, as the
guide's ``create_notification`` does.
"""

import os
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, jsonify, request
from flask_socketio import SocketIO, join_room  # type: ignore[import-untyped]
from flask_sqlalchemy import SQLAlchemy

from bench.peers.token_check import user_of

NAMESPACE = "/notifications"

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["BENCH_DATABASE_URL"]
db = SQLAlchemy(app)
socketio = SocketIO(app, async_mode="threading")
rooms: dict[str, str] = {}
turn = 0


class Notification(db.Model):  # type: ignore[name-defined, misc]
    """A stored notification."""

    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.String(64), nullable=False, index=True)
    type = db.Column(db.String(64), nullable=False)
    title = db.Column(db.String(255), nullable=False)
    message = db.Column(db.Text, nullable=False)
    data = db.Column(db.JSON)
    is_read = db.Column(db.Boolean, default=False)
    created_at = db.Column(db.DateTime, default=lambda: datetime.now(UTC))


@app.post("/api/notifications")
def create_notification() -> tuple[Response, int]:
    """Store a notification and emit it to its user."""
    user_of(request.headers["Authorization"].removeprefix("Bearer "))
    body = request.get_json()
    row = Notification(
        user_id=body["user_id"], type=body["type"], title=body["title"], message=body["message"], data=body["data"]
    )
    db.session.add(row)
    db.session.commit()
    payload = {
        "id": row.id,
        "type": row.type,
        "title": row.title,
        "message": row.message,
        "timestamp": row.created_at.isoformat(),
        "data": row.data,
    }
    socketio.emit("notification", payload, room=f"user:{row.user_id}", namespace=NAMESPACE)
    return jsonify(payload), 201


def connect(auth: dict[str, Any]) -> None:
    """Verify the token and join the user's room."""
    room = f"user:{user_of(auth['token'])}"
    rooms[request.sid] = room  # type: ignore[attr-defined]
    join_room(room)


def disconnect(_reason: str) -> None:
    """Forget the user."""
    del rooms[request.sid]  # type: ignore[attr-defined]


def broadcast(wanted: dict[str, Any]) -> None:
    """Emit to everyone, ``n`` times."""
    for _ in range(wanted["n"]):
        socketio.emit("notification", wanted["payload"], namespace=NAMESPACE)


def emits(wanted: dict[str, Any]) -> None:
    """Emit to one user after another, ``n`` times."""
    global turn  # noqa: PLW0603
    everybody = list(rooms.values())
    for _ in range(wanted["n"]):
        room = everybody[turn % len(everybody)]
        turn += 1
        socketio.emit("notification", wanted["payload"], room=room, namespace=NAMESPACE)


def echo(payload: dict[str, Any]) -> dict[str, Any]:
    """Answer with what was sent."""
    return payload


for event, handler in {
    "connect": connect,
    "disconnect": disconnect,
    "bench:broadcast": broadcast,
    "bench:emits": emits,
    "bench:echo": echo,
}.items():
    socketio.on_event(event, handler, namespace=NAMESPACE)

if __name__ == "__main__":
    with app.app_context():
        db.create_all()
    socketio.run(app, host="127.0.0.1", port=int(os.environ["BENCH_PORT"]), allow_unsafe_werkzeug=True)
