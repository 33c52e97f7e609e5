"""
A device: where a user's push notifications go.

Its token is a secret: who knows it can have pushes sent to it. It is stored
whole and shown nowhere, neither in answers nor in reprs or logs.
"""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId

Platform = Literal["android", "ios", "web"]
DeviceKind = Literal["token", "fid"]

MAX_TOKEN = 4_096
MAX_DEVICE_NAME = 100
MAX_TOPIC = 900
# What Firebase allows one installation of an app.
MAX_TOPICS = 2_000

TOKEN = re.compile(r"[!-~]{1,4096}")
TOPIC = re.compile(r"[a-zA-Z0-9\-_.~%]{1,900}")

_SHOWN = 4
# Of a shorter one, which no vendor gives out, the end would tell too much.
_LEAST_TO_SHOW = 16


def masked(token: str) -> str:
    """Return what may be shown of a token, for people to tell two apart: its last four characters at the most."""
    return "…" + (token[-_SHOWN:] if len(token) >= _LEAST_TO_SHOW else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDraft:
    """
    What an app registers.

    Attributes:
        token: The address that the vendor gave the app, as ``kind`` says.
        device_name: As its user knows it; None leaves the name that it has.
        kind: ``token``, an FCM registration token, or ``fid``, a Firebase installation id.
    """

    user_id: UserId
    token: str = field(repr=False)
    platform: Platform
    device_name: str | None = None
    kind: DeviceKind = "token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """
    A registered device; instants are milliseconds since 1970.

    Attributes:
        last_seen_at: When it was registered last; apps do so at every start.
    """

    id: str
    user_id: UserId
    kind: DeviceKind
    token: str = field(repr=False)
    platform: Platform
    device_name: str | None
    created_at: int
    last_seen_at: int

    def json(self) -> dict[str, Any]:
        """Return the JSON object of REST answers, its token masked."""
        return {
            "id": self.id,
            "token": masked(self.token),
            "kind": self.kind,
            "platform": self.platform,
            "device_name": self.device_name,
            "created_at": iso(self.created_at),
            "last_seen_at": iso(self.last_seen_at),
        }
