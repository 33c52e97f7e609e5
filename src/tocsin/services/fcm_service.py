"""
The guide's Firebase service: devices and topics of users.

Safe from any thread of any process; each function returns after the commit. On
the serving event loop they refuse, ``await service.devices.register(...)`` is for
there. This release stores devices and sends no push yet.
"""

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

from tocsin.application.drafts import draft_notification
from tocsin.bootstrap import bridge_here, settings_here
from tocsin.domain.device import DeviceDraft, DeviceKind, Platform
from tocsin.domain.errors import NotFound
from tocsin.domain.user_id import parse_user_id

AnyId = int | str

_log = logging.getLogger(__name__)


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
        Overloaded: The database takes no work now; nothing was stored.
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
        Overloaded: The database takes no work now; nothing was removed.
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
        Overloaded: The database takes no work now; nothing was removed.
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
        Overloaded: The database takes no work now; nothing was stored.
        NotInitialized: This process knows no database.
    """
    user = parse_user_id(user_id)
    bridge_here().ask(lambda core: core.devices.subscribe(user, topic))


def unsubscribe_topic(user_id: AnyId, topic: str) -> None:
    """
    Let a user follow a topic no more; once more changes nothing.

    Raises:
        Invalid: The name breaks the rule.
        Overloaded: The database takes no work now; nothing was removed.
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


def send_push(user_id: AnyId, title: str, message: str, data: Mapping[str, Any] | None = None) -> int:
    """
    Send a push to every device of a user; this release sends none, and says so once in the log.

    Args:
        user_id: Whose devices.
        title: 1 to 200 characters.
        message: Up to 4,000 characters.
        data: Up to 16 KiB as JSON.

    Returns:
        To how many devices it went: 0.

    Raises:
        Invalid: A field breaks a rule; the detail names it.
        PayloadTooBig: ``data`` exceeds its limit.
        NotInitialized: This process knows no settings.
    """
    draft_notification(user_id, {"title": title, "message": message, "data": data})
    if settings_here().firebase_credentials_path is None:
        _say_once("no push is sent: set FIREBASE_CREDENTIALS_PATH to the key file of your Firebase project")
    else:
        _say_once("no push is sent: this release stores devices, and sends nothing to Firebase yet")
    return 0


@cache
def _say_once(text: str) -> None:
    _log.warning(text)
