"""
The guide's notification service: stored notifications, in words of one's own or the server's.

Every function returns after the commit, from any thread of any process; on the
serving event loop it refuses, ``await service.create_notification(...)`` is for
there. A builder writes title and message itself, in English or Korean, and
repeats what it was given in ``data``, for pages with words of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, get_args

from tocsin.application.drafts import copy_json, draft_notification, encode_json
from tocsin.application.texts import Lang, text_of
from tocsin.bootstrap import bridge_here, settings_here
from tocsin.domain.errors import Invalid
from tocsin.domain.notification import MAX_ACTOR_NAME, MAX_DATA_BYTES, MAX_KEY, Priority
from tocsin.domain.text import cut, storable
from tocsin.domain.user_id import parse_user_id, user_id_json

AnyId = int | str

# The message shows more of a long comment or error; data has room for 16 KiB in all.
MAX_IN_DATA = 1_000

_BESIDE = ("event_id", "seq", "epoch", "toast", "silent", "unread_count")
_LANGUAGES = get_args(Lang)


def create_notification(
    user_id: AnyId,
    type: str,  # noqa: A002 the field's name, as in REST
    title: str,
    message: str,
    data: Mapping[str, Any] | None = None,
    *,
    category: str | None = None,
    priority: Priority = "normal",
    sound: str | None = None,
    ttl_s: float | None = None,
    expires_at: datetime | str | None = None,
    collapse_key: str | None = None,
    group: Mapping[str, Any] | None = None,
    template: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Store a notification, deliver it to every device of its user, and return it once it is committed.

    Never lost after that, never shown twice. Safe from any thread of any process; on
    the serving event loop ``await service.create_notification(...)`` takes and returns the same.

    Args:
        user_id: Whose inbox.
        type: What it is about, for the page; 1 to 64 characters.
        title: 1 to 200 characters, shown as text.
        message: Up to 4,000 characters, shown as text.
        data: Whatever the page needs, up to 16 KiB as JSON; instants are written in UTC.
        category: For filters and counts; up to 64 characters.
        priority: ``low``, ``normal``, ``high`` or ``urgent``.
        sound: Its name for the page; up to 128 characters.
        ttl_s: Seconds after which it disappears.
        expires_at: Instead: when it disappears; a naive instant is taken as UTC.
        collapse_key: It takes the place of the user's notification of the same key.
        group: ``{"key": …, "actor": {"id": …, "name": …}}``: it joins the user's unread card of the key,
            and its actor counts once.
        template: The name of words that stand in the place of ``title`` and ``message``, in the
            user's language; these two are used where there are none of that name.
        params: What the template is filled with.

    Returns:
        The notification as ``POST /api/notifications`` answers it.

    Raises:
        Invalid: A field breaks a rule; the detail names it.
        PayloadTooBig: ``data`` exceeds its limit.
        Overloaded: The database took no work, or did not answer, for too long: it may have been stored.
        StorageFull: The disk is full; nothing was stored.
        NotInitialized: This process knows no database.
        RuntimeError: Called on the serving event loop; nothing was stored.
    """
    draft = draft_notification(
        user_id,
        {
            "type": type,
            "title": title,
            "message": message,
            "data": data,
            "category": category,
            "priority": priority,
            "sound": sound,
            "ttl_s": ttl_s,
            "expires_at": expires_at,
            "collapse_key": collapse_key,
            "group": group,
            "template": template,
            "params": params,
        },
    )
    bridge = bridge_here()
    # Before it is handed over: a refusal after that would look as if nothing were stored.
    bridge.refuse_on_loop("create_notification()")
    # One that it replaces is told of before it.
    *_, event = bridge.hand_over(draft).wait()
    return {name: value for name, value in event["data"].items() if name not in _BESIDE}


def notify_sns_publish_success(
    user_id: AnyId, post_id: AnyId, platforms: Sequence[str], *, lang: Lang | None = None
) -> dict[str, Any]:
    """
    Tell a user that a post is live, as in "Your post is now live on Instagram, X and TikTok".

    Args:
        user_id: Whose post it is.
        post_id: The post; in ``data``.
        platforms: Where, such as ``["instagram", "twitter"]``; in ``data``.
        lang: ``en`` or ``ko``; None: as the user's preferences say, else the settings.

    Raises:
        TocsinError: See ``create_notification``.
    """
    return _notify(user_id, "publish_success", "sns", lang, post_id=post_id, platforms=_listed(platforms))


def notify_sns_publish_failed(
    user_id: AnyId,
    post_id: AnyId,
    platforms: Sequence[str],
    error: str | None = None,
    *,
    lang: Lang | None = None,
) -> dict[str, Any]:
    """
    Tell a user that a post could not be published, and why or what to do.

    Args:
        user_id: Whose post it is.
        post_id: The post; in ``data``.
        platforms: Where it failed; in ``data``.
        error: The reason, in words for the user; in ``data``.
        lang: ``en`` or ``ko``; None: as the user's preferences say, else the settings.

    Raises:
        TocsinError: See ``create_notification``.
    """
    return _notify(user_id, "publish_failed", "sns", lang, post_id=post_id, platforms=_listed(platforms), error=error)


def notify_post_liked(
    user_id: AnyId,
    post_id: AnyId,
    liker_id: AnyId,
    liker_name: str | None = None,
    *,
    is_grouped: bool = False,
    lang: Lang | None = None,
) -> dict[str, Any]:
    """
    Tell a user that somebody likes a post, as in "Mina liked your post".

    Args:
        user_id: Whose post it is.
        post_id: The post; in ``data``.
        liker_id: Who likes it; ``user_id`` in ``data``.
        liker_name: Their name; ``user_name`` in ``data``. None: "Someone".
        is_grouped: One card for all who like the post, as long as it is unread: "Mina and 11 others liked your post".
        lang: ``en`` or ``ko``; None: as the user's preferences say, else the settings.

    Raises:
        TocsinError: See ``create_notification``.
    """
    liker = user_id_json(parse_user_id(liker_id, "liker_id"))
    actor = {"id": liker, "name": cut(storable(liker_name), MAX_ACTOR_NAME) if liker_name else None}
    key = storable(f"post_liked:{post_id}")
    # Two long ids that begin alike are two posts.
    short = key if len(key) <= MAX_KEY else f"post_liked:{sha256(key.encode()).hexdigest()}"
    group = {"key": short, "actor": actor} if is_grouped else None
    told: dict[str, Any] = {"post_id": post_id, "user_id": liker, "user_name": liker_name}
    return _notify(user_id, "post_liked", "sns", lang, group, **told)


def notify_post_commented(
    user_id: AnyId,
    post_id: AnyId,
    commenter_id: AnyId,
    comment: str,
    commenter_name: str | None = None,
    *,
    lang: Lang | None = None,
) -> dict[str, Any]:
    """
    Tell a user what somebody says of a post, as in "Mina commented: “Great shot!”".

    Args:
        user_id: Whose post it is.
        post_id: The post; in ``data``.
        commenter_id: Who says it; ``user_id`` in ``data``.
        comment: What; cut to what a message holds, and to 1,000 characters in ``data``.
        commenter_name: Their name; ``user_name`` in ``data``. None: "Someone".
        lang: ``en`` or ``ko``; None: as the user's preferences say, else the settings.

    Raises:
        TocsinError: See ``create_notification``.
    """
    commenter = user_id_json(parse_user_id(commenter_id, "commenter_id"))
    told: dict[str, Any] = {"post_id": post_id, "user_id": commenter, "user_name": commenter_name, "comment": comment}
    return _notify(user_id, "post_commented", "sns", lang, **told)


def notify_order_updated(user_id: AnyId, order_id: AnyId, status: str, *, lang: Lang | None = None) -> dict[str, Any]:
    """
    Tell a user how an order stands, as in "Order #1042 has been shipped".

    Args:
        user_id: Whose order it is.
        order_id: The order; in ``data``.
        status: ``placed``, ``paid``, ``packed``, ``shipped``, ``in_transit``, ``out_for_delivery``,
            ``delivered``, ``cancelled`` or ``refunded`` is told in words, any other as it is; in ``data``.
        lang: ``en`` or ``ko``; None: as the user's preferences say, else the settings.

    Raises:
        TocsinError: See ``create_notification``.
    """
    return _notify(user_id, "order_updated", "orders", lang, order_id=order_id, status=status)


def notify_shipment_update(  # noqa: PLR0917 the guide's way of calling
    user_id: AnyId,
    order_id: AnyId,
    location: str | None = None,
    status: str | None = None,
    carrier: str | None = None,
    tracking_number: str | None = None,
    *,
    lang: Lang | None = None,
) -> dict[str, Any]:
    """
    Tell a user where a parcel is, as in "Order #1042 has reached Daejeon Hub".

    Args:
        user_id: Whose order it is.
        order_id: The order; in ``data``, as is all that follows.
        location: Where the parcel is.
        status: As in ``notify_order_updated``.
        carrier: Who brings it.
        tracking_number: Its number there.
        lang: ``en`` or ``ko``; None: as the user's preferences say, else the settings.

    Raises:
        TocsinError: See ``create_notification``.
    """
    told: dict[str, Any] = {
        "location": location,
        "status": status,
        "carrier": carrier,
        "tracking_number": tracking_number,
    }
    return _notify(user_id, "shipment_update", "orders", lang, order_id=order_id, **told)


def notify_delivery_confirmed(user_id: AnyId, order_id: AnyId, *, lang: Lang | None = None) -> dict[str, Any]:
    """
    Tell a user that an order arrived, as in "Order #1042 has arrived. Enjoy!".

    Args:
        user_id: Whose order it is.
        order_id: The order; in ``data``.
        lang: ``en`` or ``ko``; None: as the user's preferences say, else the settings.

    Raises:
        TocsinError: See ``create_notification``.
    """
    return _notify(user_id, "delivery_confirmed", "orders", lang, order_id=order_id)


def notify_message_received(
    user_id: AnyId, from_user_id: AnyId, message: str, from_name: str | None = None, *, lang: Lang | None = None
) -> dict[str, Any]:
    """
    Tell a user of a chat message: "New message from Mina", and what it says.

    Nothing is sent in the chat; ``broadcast_chat_message`` does that.

    Args:
        user_id: To whom it was written.
        from_user_id: By whom; in ``data``.
        message: What; cut to what a notification holds.
        from_name: Their name; in ``data``. None: "New message".
        lang: ``en`` or ``ko``; None: as the user's preferences say, else the settings.

    Raises:
        TocsinError: See ``create_notification``.
    """
    sender = user_id_json(parse_user_id(from_user_id, "from_user_id"))
    told: dict[str, Any] = {"from_user_id": sender, "from_name": from_name, "message": message}
    return _notify(user_id, "message_received", "chat", lang, **told)


def _notify(
    to_user_id: AnyId,
    event: str,
    category: str,
    lang: Lang | None,
    /,
    group: Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    is_free = lang is None
    if lang is None:
        lang = settings_here().lang
    elif lang not in _LANGUAGES:
        raise Invalid(f"lang must be one of {', '.join(_LANGUAGES)}")
    told = {
        name: storable(value) if isinstance(value, str) else value
        for name, value in fields.items()
        if value is not None
    }
    words = text_of(event, copy_json(told), lang)
    assert words is not None, f"no words for {event}"
    data = {name: cut(value, MAX_IN_DATA) if isinstance(value, str) else value for name, value in told.items()}
    # It is the message of the notification.
    data.pop("message", None)
    # In the language that was asked for, or else in the user's own, if that is known when it is made.
    wording: dict[str, Any] = (
        {"template": event, "params": told} if is_free and len(encode_json(told)) <= MAX_DATA_BYTES else {}
    )
    return create_notification(
        to_user_id, event, words.title, words.message, data, category=category, group=group, **wording
    )


def _listed(platforms: object) -> list[str]:
    """Return a list of platforms, also of a single one that came without its list."""
    names = [platforms] if isinstance(platforms, str) else list(platforms) if isinstance(platforms, Iterable) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise Invalid("platforms must be a list of strings")
    return [storable(name) for name in names]
