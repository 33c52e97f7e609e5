"""The WebSocket server, under the guide's import path."""

from tocsin.websocket_server import *  # noqa: F403 the guide's names are all of them
