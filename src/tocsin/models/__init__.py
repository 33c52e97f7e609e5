"""
Our tables as SQLAlchemy classes, for a host's own sessions and migrations.

To add a ``Notification`` or a ``ChatMessage`` to a session publishes it when
that session commits, in the same transaction: all or nothing. ``to_dict()`` is
the JSON of REST. In Flask with Flask-SQLAlchemy there is ``.query``.
"""

from tocsin.models import flush as _flush  # noqa: F401 listens to sessions
from tocsin.models.chat_message import ChatMessage
from tocsin.models.device import Device, TopicSubscription
from tocsin.models.host_tables import add_tables, add_tables_of
from tocsin.models.model import Model
from tocsin.models.notification import Notification
from tocsin.models.web_push import WebPushSubscription

__all__ = [
    "ChatMessage",
    "Device",
    "Model",
    "Notification",
    "TopicSubscription",
    "WebPushSubscription",
    "add_tables",
    "add_tables_of",
]
