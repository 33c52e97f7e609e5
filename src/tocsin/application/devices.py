"""Devices that a user registered for push, and the topics that a user follows. Nothing is sent here."""

import builtins
from typing import get_args

from tocsin.application.once import Once
from tocsin.application.ports import Store
from tocsin.domain.device import (
    MAX_DEVICE_NAME,
    MAX_TOKEN,
    MAX_TOPIC,
    TOKEN,
    TOPIC,
    Device,
    DeviceDraft,
    DeviceKind,
    Platform,
)
from tocsin.domain.errors import Invalid
from tocsin.domain.text import check_text
from tocsin.domain.user_id import UserId

_PLATFORMS = get_args(Platform)
_KINDS = get_args(DeviceKind)


class Devices:
    """
    Use-cases of devices and topics. Belongs to the event loop's thread.

    A write returns after it is committed. No refusal tells a token.

    Args:
        store: Keeps them.
        most: Devices that one user may have.
    """

    def __init__(self, store: Store, most: int) -> None:
        self._store = store
        self._most = most

    async def register(self, draft: DeviceDraft, once: Once | None = None) -> Device:
        """
        Register a device, or say that it is still there; apps do so at every start.

        A token is one device. Registered again by its user, it is seen now and
        takes the platform and the name given. Registered by another user, it is
        theirs from now on, as a new device: a phone changed hands or accounts,
        and what is meant for the former user must not appear on it any more.

        One device more than the limit replaces the one not seen for longest: a
        new phone always works, and what goes is what its user has put away.

        Raises:
            Invalid: A field breaks a rule; the detail names it.
            KeyReused: ``once`` was used for another request.
        """
        check_device(draft)
        return await self._store.register_device(draft, self._most, once)

    async def unregister(
        self, user_id: UserId, token: str, kind: DeviceKind = "token", once: Once | None = None
    ) -> None:
        """
        Remove one of the user's own devices.

        Raises:
            NotFound: The user has no such device; another's answers the same.
            Invalid: The token is none.
        """
        check_token(token, kind)
        await self._store.unregister_device(user_id, token, kind, once)

    async def unregister_all(self, user_id: UserId, once: Once | None = None) -> int:
        """Remove all devices of the user and return how many they were; topics stay."""
        return await self._store.unregister_all_devices(user_id, once)

    async def list(self, user_id: UserId) -> builtins.list[Device]:
        """Return the user's devices, the one seen last first."""
        return await self._store.list_devices(user_id)

    async def subscribe(self, user_id: UserId, topic: str, once: Once | None = None) -> None:
        """
        Let a user follow a topic, on all devices; once more changes nothing.

        Raises:
            Invalid: The name of the topic breaks the rule.
            Conflict: The user follows 2,000 topics already.
        """
        check_topic(topic)
        await self._store.subscribe_topic(user_id, topic, once)

    async def unsubscribe(self, user_id: UserId, topic: str, once: Once | None = None) -> None:
        """
        Let a user follow a topic no more; once more changes nothing.

        Raises:
            Invalid: The name of the topic breaks the rule.
        """
        check_topic(topic)
        await self._store.unsubscribe_topic(user_id, topic, once)

    async def list_topics(self, user_id: UserId) -> builtins.list[str]:
        """Return the topics that the user follows, by name."""
        return await self._store.list_topics(user_id)


def check_device(draft: DeviceDraft) -> None:
    """
    Check the rules that hold for every caller, in any thread.

    Raises:
        Invalid: A field breaks a rule; the detail names it and tells no token.
    """
    check_token(draft.token, draft.kind)
    if draft.platform not in _PLATFORMS:
        raise Invalid(f"platform must be one of {', '.join(_PLATFORMS)}")
    if draft.device_name is not None:
        if not isinstance(draft.device_name, str):
            raise Invalid("device_name must be a string")
        check_text("device_name", draft.device_name, MAX_DEVICE_NAME)


def check_token(token: object, kind: object) -> None:
    """
    Accept what may be the address of a device.

    Raises:
        Invalid: It can't be one; the detail does not tell it.
    """
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise Invalid(f"token must be 1 to {MAX_TOKEN} printable ASCII characters, without spaces")
    if kind not in _KINDS:
        raise Invalid(f"kind must be one of {', '.join(_KINDS)}")


def check_topic(topic: object) -> None:
    """
    Accept a name as Firebase has them.

    Raises:
        Invalid: It is none.
    """
    if not isinstance(topic, str) or not TOPIC.fullmatch(topic):
        raise Invalid(f"topic must be 1 to {MAX_TOPIC} of the characters a-z A-Z 0-9 - _ . ~ %")
