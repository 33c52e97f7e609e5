"""``Device`` and ``TopicSubscription``: where a user's pushes go. No stream tells of them."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Mapped

from tocsin.adapters.sql import schema
from tocsin.application.devices import check_device, check_topic
from tocsin.domain import device as domain
from tocsin.domain.identifier import new_id
from tocsin.domain.timestamp import from_datetime, iso, now_ms
from tocsin.domain.user_id import parse_user_id
from tocsin.models.columns import to_datetime, typed
from tocsin.models.model import Model


class Device(Model):
    """
    A device registered for push.

    ``fcm_service.register_device`` is the way to register one: it moves a token
    that another user had, and keeps the number of a user's devices in bounds.
    Adding a ``Device`` stores the row, or fails where the token is there already.

    Args:
        user_id: Whose device.
        token: Its address, a secret.
        platform: ``android``, ``ios`` or ``web``.
        device_name: As its user knows it.
        kind: ``token``, an FCM registration token, or ``fid``, a Firebase installation id.

    Raises:
        Invalid: A field breaks a rule; the detail tells no token.
    """

    __table__ = typed(schema.device)

    if TYPE_CHECKING:
        id: Mapped[str]
        user_id: Mapped[int | str]
        kind: Mapped[domain.DeviceKind]
        token: Mapped[str]
        platform: Mapped[domain.Platform]
        device_name: Mapped[str | None]
        created_at: Mapped[datetime]
        last_seen_at: Mapped[datetime]

    def __init__(
        self,
        *,
        user_id: int | str,
        token: str,
        platform: domain.Platform,
        device_name: str | None = None,
        kind: domain.DeviceKind = "token",
    ) -> None:
        draft = domain.DeviceDraft(
            user_id=parse_user_id(user_id), token=token, platform=platform, device_name=device_name, kind=kind
        )
        check_device(draft)
        now = to_datetime(now_ms())
        super().__init__(
            id=new_id(),
            user_id=draft.user_id,
            kind=draft.kind,
            token=draft.token,
            platform=draft.platform,
            device_name=draft.device_name,
            created_at=now,
            last_seen_at=now,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of REST, the token masked."""
        return domain.Device(
            id=self.id,
            user_id=parse_user_id(self.user_id),
            kind=self.kind,
            token=self.token,
            platform=self.platform,
            device_name=self.device_name,
            created_at=from_datetime(self.created_at),
            last_seen_at=from_datetime(self.last_seen_at),
        ).json()


class TopicSubscription(Model):
    """
    A topic that a user follows, on all devices.

    Raises:
        Invalid: The name of the topic breaks the rule.
    """

    __table__ = typed(schema.topic_subscription)

    if TYPE_CHECKING:
        user_id: Mapped[int | str]
        topic: Mapped[str]
        created_at: Mapped[datetime]

    def __init__(self, *, user_id: int | str, topic: str) -> None:
        check_topic(topic)
        super().__init__(user_id=user_id, topic=topic, created_at=to_datetime(now_ms()))

    def to_dict(self) -> dict[str, Any]:
        """Return the user, the topic and since when."""
        return {"user_id": self.user_id, "topic": self.topic, "created_at": iso(from_datetime(self.created_at))}
