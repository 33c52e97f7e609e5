"""The one line that changes."""

from tocsin.websocket_server import (
    SocketIO as SocketIO,
    broadcast_chat_message as broadcast_chat_message,
    broadcast_notification as broadcast_notification,
    broadcast_order_event as broadcast_order_event,
    broadcast_sns_event as broadcast_sns_event,
    init_websocket as init_websocket,
)
