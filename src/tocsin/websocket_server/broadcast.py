"""
The guide's ``broadcast_*`` functions, for any thread of any process.

What is wrong with the arguments is raised at the call. In the process that
serves, a call returns within microseconds with a Receipt; in any other it
returns once the event is committed. Coroutines of the serving process await
``service.publish(…)``, ``service.create_notification(…)`` and ``service.send_message(…)``
instead, or call these and drop the Receipt.
"""

from typing import Any

import orjson

from tocsin.application.drafts import draft_event, draft_message, draft_notification
from tocsin.bootstrap import bridge_here, settings_here
from tocsin.bridge import Receipt


def broadcast_sns_event(event: str, user_id: int | str, data: dict[str, Any] | None = None) -> Receipt:
    """
    Deliver an event of ``/sns`` to every device of one user, on any node.

    Durable, and in the order of the calls for one user; ``user_online`` and
    ``user_offline`` reach only who is connected. Its coroutine is ``service.publish``.

    Args:
        event: ``publish_started``, ``publish_success``, ``publish_failed``, ``post_liked``,
            ``post_commented``, ``user_online`` or ``user_offline``.
        user_id: Who hears it.
        data: Fields of the event, at most 64 KiB as JSON; a naive instant is taken as UTC.

    Raises:
        Invalid: No such event, or a wrong field; the detail names it.
        PayloadTooBig: ``data`` exceeds the limit.
        Overloaded: Too much waits to be committed; nothing was accepted.
        NotInitialized: This process knows no database.
    """
    return publish("/sns", event, user_id, data)


def broadcast_order_event(event: str, user_id: int | str, data: dict[str, Any] | None = None) -> Receipt:
    """
    Deliver an event of ``/orders`` to every device of one user, on any node.

    Durable, and in the order of the calls for one user. Its coroutine is ``service.publish``.

    Args:
        event: ``order_updated``, ``shipment_update`` or ``delivery_confirmed``.
        user_id: Who hears it.
        data: Fields of the event, at most 64 KiB as JSON; a naive instant is taken as UTC.

    Raises:
        Invalid: No such event, or a wrong field; the detail names it.
        PayloadTooBig: ``data`` exceeds the limit.
        Overloaded: Too much waits to be committed; nothing was accepted.
        NotInitialized: This process knows no database.
    """
    return publish("/orders", event, user_id, data)


def broadcast_notification(user_id: int | str, data: dict[str, Any]) -> Receipt:
    """
    Store a notification and deliver it to every device of one user, on any node.

    One that is stored already was delivered by its commit: ``data`` with the
    ``id`` of such (``to_dict()`` of a model) makes nothing twice. Its coroutine is
    ``service.create_notification``.

    Args:
        user_id: Whose inbox.
        data: ``title`` (required), ``message``, ``type``, ``category``, ``priority``, ``sound``,
            ``expires_at`` or ``ttl_s`` and ``data``; other keys are added to its ``data``.

    Raises:
        Invalid: There is no title, or a field breaks a rule; the detail names it.
        PayloadTooBig: Its ``data`` exceeds 16 KiB as JSON.
        Overloaded: Too much waits to be committed; nothing was accepted.
        NotInitialized: This process knows no database.
    """
    return bridge_here().hand_over(draft_notification(user_id, data))


def broadcast_chat_message(
    from_user_id: int | str, to_user_id: int | str, message: str, client_msg_id: str | None = None
) -> Receipt:
    """
    Store a message and deliver it to both users' devices, on any node.

    A ``ChatMessage`` of the same users and text that a session has saved in the
    last minute was delivered by its commit: it is this message, and nothing is
    made twice. Its coroutine is ``service.send_message``.

    Args:
        from_user_id: Who says it.
        to_user_id: Who hears it.
        message: 1 to 8,000 characters.
        client_msg_id: The same id of one sender is one message, however often it is sent.

    Raises:
        Invalid: The text or a user breaks a rule.
        Overloaded: Too much waits to be committed; nothing was accepted.
        NotInitialized: This process knows no database.
    """
    return bridge_here().hand_over(draft_message(from_user_id, to_user_id, message, client_msg_id, adopts_saved=True))


def publish(namespace: str, event: str, user_id: int | str, data: dict[str, Any] | None) -> Receipt:
    """Deliver a registered event to one user, as ``broadcast_sns_event`` does."""
    kind, draft = draft_event(namespace, event, [user_id], data, settings_here().lang)
    bridge = bridge_here()
    if kind.durable:
        return bridge.hand_over(draft)
    bridge.emit(draft.user_ids[0], namespace, event, orjson.loads(draft.payload))
    return Receipt.nothing()
