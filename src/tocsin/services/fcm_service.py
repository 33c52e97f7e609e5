"""
The guide's Firebase service: devices and topics of users, and push.

Safe from any thread of any process; each function returns after the commit. On
the serving event loop they refuse, ``await service.devices.register(...)`` is for
there.
"""

from collections.abc import Mapping
from typing import Any

from tocsin.application.push import PATIENCE_S
from tocsin.bootstrap import bridge_here
from tocsin.domain.device import DeviceDraft, DeviceKind, Platform
from tocsin.domain.errors import NotFound
from tocsin.domain.notification import Priority
from tocsin.domain.push import DEFAULT_TTL_S
from tocsin.domain.user_id import parse_user_id

AnyId = int | str

# The last try may begin at the end of the patience, and has its own time.
_PUSH_TIMEOUT_S = 2 * PATIENCE_S + 30


def register_device(
    user_id: AnyId, token: str, platform: Platform, device_name: str | None = None, *, kind: DeviceKind = "token"
) -> dict[str, Any]:
    """
    Register a device for push, or say that it is still there.

    A token that another user had registered is this user's from now on: the
    phone changed hands or accounts, and what is meant for the former user must
    not appear on it. Beyond ``TOCSIN_LIMIT_USER_DEVICES`` the device not seen
    for longest goes.

    Args:
        user_id: Whose device it is.
        token: 1 to 4,096 printable ASCII characters, as Firebase gave it to the app.
        platform: ``android``, ``ios`` or ``web``.
        device_name: Up to 100 characters; None leaves the name that it has.
        kind: ``token``, an FCM registration token, or ``fid``, a Firebase installation id.

    Returns:
        The device as REST answers it, its token masked.

    Raises:
        Invalid: A field breaks a rule; the detail names it and tells no token.
        Overloaded: The database takes no work now, or did not answer: it may have been stored.
        NotInitialized: This process knows no database.
    """
    draft = DeviceDraft(
        user_id=parse_user_id(user_id), token=token, platform=platform, device_name=device_name, kind=kind
    )
    return bridge_here().ask(lambda core: core.devices.register(draft)).json()


def unregister_device(user_id: AnyId, token: str, *, kind: DeviceKind = "token") -> bool:
    """
    Remove one of the user's own devices, as at a log-out.

    Returns:
        Whether the user had it; another user's device stays, and is no device of this one.

    Raises:
        Invalid: It can't be a token.
        Overloaded: The database takes no work now, or did not answer: it may have been removed.
        NotInitialized: This process knows no database.
    """
    user = parse_user_id(user_id)
    try:
        bridge_here().ask(lambda core: core.devices.unregister(user, token, kind))
    except NotFound:
        return False
    return True


def unregister_all_devices(user_id: AnyId) -> int:
    """
    Remove all devices of a user and return how many they were; topics stay.

    Raises:
        Overloaded: The database takes no work now, or did not answer: it may have been removed.
        NotInitialized: This process knows no database.
    """
    user = parse_user_id(user_id)
    return bridge_here().ask(lambda core: core.devices.unregister_all(user))


def subscribe_topic(user_id: AnyId, topic: str) -> None:
    """
    Let a user follow a topic on all devices; once more changes nothing.

    Args:
        user_id: Who follows it.
        topic: 1 to 900 of the characters ``a-z A-Z 0-9 - _ . ~ %``.

    Raises:
        Invalid: The name breaks the rule.
        Conflict: The user follows 2,000 topics already.
        Overloaded: The database takes no work now, or did not answer: it may have been stored.
        NotInitialized: This process knows no database.
    """
    user = parse_user_id(user_id)
    bridge_here().ask(lambda core: core.devices.subscribe(user, topic))


def unsubscribe_topic(user_id: AnyId, topic: str) -> None:
    """
    Let a user follow a topic no more; once more changes nothing.

    Raises:
        Invalid: The name breaks the rule.
        Overloaded: The database takes no work now, or did not answer: it may have been removed.
        NotInitialized: This process knows no database.
    """
    user = parse_user_id(user_id)
    bridge_here().ask(lambda core: core.devices.unsubscribe(user, topic))


def list_devices(user_id: AnyId) -> list[dict[str, Any]]:
    """
    Return the devices of a user as REST lists them, the one seen last first, tokens masked.

    Raises:
        Overloaded: The database takes no work now.
        NotInitialized: This process knows no database.
    """
    user = parse_user_id(user_id)
    return [device.json() for device in bridge_here().ask(lambda core: core.devices.list(user))]


def send_push(
    user_id: AnyId,
    title: str,
    message: str,
    data: Mapping[str, Any] | None = None,
    *,
    collapse_key: str | None = None,
    ttl_s: int = DEFAULT_TTL_S,
    priority: Priority = "normal",
    badge: int | None = None,
    link: str | None = None,
) -> int:
    """
    Send a push to every device and browser that a user registered, and wait for what becomes of it.

    Usually done in a fraction of a second. What a provider can't take now is
    tried again for up to a minute. Not durable: a process that ends meanwhile
    sends no more of it. What a provider has forgotten is removed. In an async
    function: ``await service.send_push(...)``.

    Args:
        user_id: Whose devices.
        title: 1 to 200 characters.
        message: Up to 4,000 characters; cut at its end where a provider takes less (4,096 bytes in all).
        data: For the app, up to 16 KiB as JSON; left out whole where it leaves no room for the message.
            Values reach it as strings, those that are none as JSON.
        collapse_key: Up to 64 characters; a later push with the same key replaces this one on a device.
        ttl_s: Seconds that it is kept for a device that is off, up to 28 days; 0: now or never.
        priority: ``high`` and ``urgent`` wake a sleeping device; ``low`` makes no sound.
        badge: The number on the app's icon.
        link: What a tap opens on the web: an https URL, or a path of your site.

    Returns:
        How many devices' and browsers' providers took it. Without ``FIREBASE_CREDENTIALS_PATH`` no device
        gets it, which the log says once.

    Raises:
        Invalid: A field breaks a rule; the detail names it.
        PayloadTooBig: ``data`` exceeds its limit.
        Overloaded: The database takes no work now, and nothing was sent; or there was no answer: it may have been.
        NotInitialized: This process knows no database.
        StartError: The file of FIREBASE_CREDENTIALS_PATH can't be used (in a process that serves no sockets).
    """
    return bridge_here().ask(
        lambda core: core.send_push(
            user_id,
            title,
            message,
            data,
            collapse_key=collapse_key,
            ttl_s=ttl_s,
            priority=priority,
            badge=badge,
            link=link,
        ),
        _PUSH_TIMEOUT_S,
    )
