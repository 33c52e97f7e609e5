"""The guide's application, with a door for its tests: they call its functions from a view of it."""

import importlib
import json
import logging
import os
import time
from pathlib import Path

import jwt
from flask import Flask, jsonify, request, send_from_directory
from flask_migrate import Migrate

from .models import db
from .services.sns import publish_post_to_platforms
from .websocket_server import init_websocket

PAGES = Path(__file__).parents[1] / "pages"


def create_app():
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ["SECRET_KEY"]
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    Migrate(app, db)

    # The keywords that the guide gives in its later chapters.
    socketio = init_websocket(app, **json.loads(os.environ.get("KEYWORDS", "{}")))
    app.socketio = socketio

    @socketio.on("publish_start", namespace="/sns")
    def publish_start(user_id, data):
        publish_post_to_platforms(data["post_id"], user_id, data["platforms"])

    # The guide's "Rate Limiting", with the limiter that knows socket events.
    @socketio.on('message')
    @socketio.limit("10 per minute")
    def handle_message(data):
        return {"heard": data}

    @app.post("/call/<path:name>")
    def call(name):
        module, _, function = name.rpartition(".")
        body = request.get_json()
        result = getattr(importlib.import_module(f"backend.{module}"), function)(
            *body.get("args", ()), **body.get("kwargs", {})
        )
        return jsonify(result if isinstance(result, (dict, list, int, str, bool)) else None)

    @app.get("/login/<user_id>")
    def login(user_id):
        return jwt.encode({"sub": user_id, "exp": int(time.time()) + 3600}, app.config["SECRET_KEY"], "HS256")

    @app.get("/messages")
    def messages():
        from .models import ChatMessage

        rows = ChatMessage.query.order_by(ChatMessage.created_at).all()
        return jsonify([[row.from_user_id, row.to_user_id, row.message] for row in rows])

    @app.get("/pages/<path:name>")
    def pages(name):
        return send_from_directory(PAGES, name)

    @app.get("/")
    def front():
        return "SoftFactory"

    return app


app = create_app()

if __name__ == '__main__':
    logging.basicConfig(filename="backend.log", level=logging.INFO)
    if hasattr(app, 'socketio'):
        app.socketio.run(app, host='0.0.0.0', port=int(os.environ.get("PORT", "8000")))
