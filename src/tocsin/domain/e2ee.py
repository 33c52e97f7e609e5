"""
End-to-end encryption as the server sees it: public keys, and what devices seal for each other.

Nothing here encrypts, and nothing can be read here: shapes and sizes are all that is judged. The
protocol is Olm and Megolm, run by a library in the browsers.
"""

import re
from dataclasses import dataclass
from typing import Any

from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId, user_id_json

MAX_DEVICES = 20
MAX_DEVICE_NAME = 100
MAX_KEYS_BYTES = 8_192
MAX_ONE_TIME_KEYS = 200
MAX_QUERIED = 20
MAX_CLAIMED = 100
MAX_SENT = 100
MAX_TYPE = 64
MAX_CONTENT_BYTES = 16_384
MAX_INBOX_PAGE = 100

# What waits for a device that does not come: so much of one sender, and so long.
MAX_WAITING = 1_000
KEPT_MS = 90 * 24 * 3600 * 1000

DEVICE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
KEY_ID = re.compile(r"signed_curve25519:[A-Za-z0-9+/_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyUpload:
    """
    Public keys of one device, as its library made and signed them.

    Attributes:
        device_keys: Who the device is, for good; None: it is known already.
        one_time_keys: By key id; each begins one conversation between two devices.
        fallback_keys: By key id, one at most: begins conversations when no one-time key is left.
    """

    user_id: UserId
    device_id: str
    device_name: str | None = None
    device_keys: dict[str, Any] | None = None
    one_time_keys: dict[str, dict[str, Any]]
    fallback_keys: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """What is left of a device's keys; ``is_new`` when this upload made it known."""

    one_time_keys: int
    has_unused_fallback_key: bool
    is_new: bool = False

    def json(self) -> dict[str, Any]:
        """Return the answer to an upload."""
        return {"one_time_keys": self.one_time_keys, "has_unused_fallback_key": self.has_unused_fallback_key}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptingDevice:
    """A device of the directory; its keys are public, and signed by the device itself."""

    user_id: UserId
    device_id: str
    device_name: str | None
    keys: dict[str, Any]
    created_at: int

    def json(self) -> dict[str, Any]:
        """Return it as the directory gives it out."""
        return {
            "device_id": self.device_id,
            "device_name": self.device_name,
            "device_keys": self.keys,
            "created_at": iso(self.created_at),
        }


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """One device of one user."""

    user_id: UserId
    device_id: str


@dataclass(frozen=True, slots=True)
class ClaimedKey:
    """A key that was handed out; no other claim gets the same one, unless it is a fallback key."""

    address: DeviceAddress
    key_id: str
    key: dict[str, Any]
    is_fallback: bool

    def json(self) -> dict[str, Any]:
        """Return it as a claim answers."""
        return {
            "user_id": user_id_json(self.address.user_id),
            "device_id": self.address.device_id,
            "key_id": self.key_id,
            "key": self.key,
            "is_fallback": self.is_fallback,
        }


@dataclass(frozen=True, slots=True)
class Sealed:
    """What one device has sealed for another; the content is opaque."""

    to: DeviceAddress
    content: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What waits for a device; ids ascend in the order of arrival."""

    id: str
    from_user_id: UserId
    type: str
    content: dict[str, Any]

    def json(self) -> dict[str, Any]:
        """Return it as an inbox lists it."""
        return {
            "id": self.id,
            "from_user_id": user_id_json(self.from_user_id),
            "type": self.type,
            "content": self.content,
        }
