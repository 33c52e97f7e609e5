"""
End-to-end encryption: the directory of public keys, their claims, and the mail between devices.

The server never holds a key that opens anything. Who writes to whom, when and how much it does see.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import orjson

from tocsin.application.once import Once
from tocsin.application.ports import Bus
from tocsin.application.rate_limits import EventLimit
from tocsin.domain import e2ee as rules
from tocsin.domain.e2ee import ClaimedKey, Delivered, DeviceAddress, EncryptingDevice, KeyCounts, KeyUpload, Sealed
from tocsin.domain.errors import Invalid, PayloadTooBig
from tocsin.domain.rate import Rate
from tocsin.domain.text import check_text
from tocsin.domain.user_id import UserId, user_id_json

MayWrite = Callable[[UserId, UserId], Awaitable[bool]]
FindPeers = Callable[[Sequence[UserId], int], Awaitable[list[list[UserId]]]]

# Each claim uses up what another user's device has made: generous for people, slow for who wants all.
CLAIMS = Rate(600, 60.0)
SENDS = Rate(3_000, 60.0)
QUERIES = Rate(3_000, 60.0)

_MAX_TOLD = 500
_NAMESPACE = "/chat"


class E2eeStore(Protocol):
    """Keeps public keys and what waits for devices. Each write is one transaction."""

    async def upload(self, upload: KeyUpload) -> KeyCounts:
        """
        Keep keys; the same ones again change nothing, also when they were claimed meanwhile.

        Raises:
            Conflict: The device has other keys already, a key id has another key, the user has
                20 devices, or more one-time keys wait than are kept.
            NotFound: The device is not known and its ``device_keys`` are missing.
        """

    async def counts(self, address: DeviceAddress) -> KeyCounts:
        """Return what is left of a device's keys; NotFound when there is no such device."""

    async def devices(self, user_ids: Sequence[UserId]) -> list[list[EncryptingDevice]]:
        """Return the devices of each user, the oldest first, in one snapshot."""

    async def claim(self, addresses: Sequence[DeviceAddress]) -> list[ClaimedKey]:
        """Hand out one key of each device that has any: each one-time key once, then the fallback key."""

    async def put(self, from_user_id: UserId, kind: str, sealed: Sequence[Sealed], once: Once | None) -> int:
        """Lay each into the inbox of its device, if there is such a device; return how many were laid."""

    async def inbox(self, address: DeviceAddress, after: str, limit: int) -> list[Delivered]:
        """Return what waits for a device, the oldest first; NotFound when there is no such device."""

    async def acknowledge(self, address: DeviceAddress, up_to: str) -> int:
        """Drop what a device has taken, and return how many that was."""

    async def remove(self, address: DeviceAddress) -> None:
        """Drop a device with its keys and its inbox; NotFound when there is none."""


class Encryption:
    """
    Use-cases of end-to-end encryption. Belongs to the event loop's thread.

    Between users of whom one has blocked the other nothing passes, and neither sees the other's devices.

    Args:
        store: Keeps it.
        bus: Tells devices that something waits.
        may_write: Whether neither of two users has blocked the other.
        find_peers: With whom users have conversations.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        store: E2eeStore,
        bus: Bus,
        may_write: MayWrite,
        find_peers: FindPeers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._bus = bus
        self._may_write = may_write
        self._find_peers = find_peers
        self._claims = EventLimit(lambda: CLAIMS, clock)
        self._sends = EventLimit(lambda: SENDS, clock)
        self._queries = EventLimit(lambda: QUERIES, clock)

    async def upload(self, upload: KeyUpload) -> KeyCounts:
        """
        Keep public keys of an own device.

        A device never changes its identity keys: one that lost its own takes a new
        id, and everybody it talks to is told.

        Raises:
            Invalid: A key or an id has a wrong shape.
            PayloadTooBig: A key is longer than keys are.
            Conflict: See ``E2eeStore.upload``.
            NotFound: The device is not known and its ``device_keys`` are missing.
        """
        check_upload(upload)
        counts = await self._store.upload(upload)
        if counts.is_new:
            await self._tell_changed(upload.user_id)
        return counts

    async def counts(self, user_id: UserId, device_id: str) -> KeyCounts:
        """Return what is left of an own device's keys; NotFound when there is no such device."""
        return await self._store.counts(_address(user_id, device_id))

    async def devices(self, asker_id: UserId, user_ids: Sequence[UserId]) -> dict[UserId, list[EncryptingDevice]]:
        """
        Return the devices of users; none of a user who does not encrypt, or with whom nothing may pass.

        Raises:
            RateLimited: The asker asks faster than anybody needs to.
        """
        self._queries.spend(asker_id)
        reachable = await self._reachable(asker_id, user_ids)
        found = dict(zip(reachable, await self._store.devices(reachable), strict=True))
        return {user_id: found.get(user_id, []) for user_id in dict.fromkeys(user_ids)}

    async def claim(self, asker_id: UserId, addresses: Sequence[DeviceAddress]) -> list[ClaimedKey]:
        """
        Hand out one key of each device; a device that has none, or is none, is left out.

        Raises:
            RateLimited: The asker claims faster than anybody needs to.
        """
        self._claims.spend(asker_id)
        reachable = set(await self._reachable(asker_id, [one.user_id for one in addresses]))
        return await self._store.claim([one for one in dict.fromkeys(addresses) if one.user_id in reachable])

    async def send(self, from_user_id: UserId, kind: str, sealed: Sequence[Sealed], once: Once | None = None) -> int:
        """
        Lay what was sealed into the inboxes of devices; they are told when they are there.

        Returns:
            How many there was a device for.

        Raises:
            Invalid: The type or an id has a wrong shape.
            PayloadTooBig: A content exceeds 16 KiB encoded.
            RateLimited: The user sends faster than anybody needs to.
            KeyReused: ``once`` was used for another request.
        """
        check_text("type", kind, rules.MAX_TYPE)
        for one in sealed:
            _address(one.to.user_id, one.to.device_id)
            _check_size("content", one.content, rules.MAX_CONTENT_BYTES)
        self._sends.spend(from_user_id)
        reachable = set(await self._reachable(from_user_id, [one.to.user_id for one in sealed]))
        passing = [one for one in sealed if one.to.user_id in reachable]
        count = await self._store.put(from_user_id, kind, passing, once)
        for to in dict.fromkeys(one.to for one in passing):
            self._bus.publish_ephemeral(to.user_id, _NAMESPACE, "to_device", {"device_id": to.device_id})
        return count

    async def inbox(self, user_id: UserId, device_id: str, after: str, limit: int) -> list[Delivered]:
        """Return what waits for an own device after an id; NotFound when there is no such device."""
        return await self._store.inbox(_address(user_id, device_id), after, limit)

    async def acknowledge(self, user_id: UserId, device_id: str, up_to: str) -> int:
        """Drop what an own device has taken and keeps by itself now; return how many that was."""
        return await self._store.acknowledge(_address(user_id, device_id), up_to)

    async def remove(self, user_id: UserId, device_id: str) -> None:
        """Remove an own device: nothing new is sealed for it; NotFound when there is none."""
        await self._store.remove(_address(user_id, device_id))
        await self._tell_changed(user_id)

    async def _reachable(self, user_id: UserId, others: Sequence[UserId]) -> list[UserId]:
        return [other for other in dict.fromkeys(others) if other == user_id or await self._may_write(user_id, other)]

    async def _tell_changed(self, user_id: UserId) -> None:
        payload = {"user_id": user_id_json(user_id)}
        [peers] = await self._find_peers([user_id], _MAX_TOLD)
        for each in [user_id, *peers]:
            self._bus.publish_ephemeral(each, _NAMESPACE, "devices_changed", payload)


def check_upload(upload: KeyUpload) -> None:
    """
    Check shapes and sizes; whether the keys are any good is for those who use them.

    Raises:
        Invalid: A key or an id has a wrong shape.
        PayloadTooBig: A key is longer than keys are.
    """
    _address(upload.user_id, upload.device_id)
    if upload.device_name is not None:
        check_text("device_name", upload.device_name, rules.MAX_DEVICE_NAME)
    if (device_keys := upload.device_keys) is not None:
        _check_size("device_keys", device_keys, rules.MAX_KEYS_BYTES)
        if device_keys.get("device_id") != upload.device_id:
            raise Invalid("device_keys are of another device than device_id says")
        if not isinstance(device_keys.get("keys"), dict) or not device_keys["keys"]:
            raise Invalid("device_keys have no keys")
    if len(upload.fallback_keys) > 1:
        raise Invalid("fallback_keys holds more than one key")
    for field, keys in (("one_time_keys", upload.one_time_keys), ("fallback_keys", upload.fallback_keys)):
        for key_id, key in keys.items():
            if not rules.KEY_ID.fullmatch(key_id):
                raise Invalid(f"{field} has an id that is not of a signed_curve25519 key")
            _check_size(field, key, rules.MAX_KEYS_BYTES)


def _address(user_id: UserId, device_id: str) -> DeviceAddress:
    if not rules.DEVICE_ID.fullmatch(device_id):
        raise Invalid("device_id must be 1 to 64 of the characters a-z A-Z 0-9 - _")
    return DeviceAddress(user_id, device_id)


def _check_size(field: str, value: dict[str, Any], most: int) -> None:
    if len(orjson.dumps(value)) > most:
        raise PayloadTooBig(f"{field} exceeds {most} bytes")
