"""``WebPushSubscription``: a browser that takes pushes. No stream tells of it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Mapped

from tocsin.adapters.sql import schema
from tocsin.application.web_push import check_subscription
from tocsin.domain import web_push as domain
from tocsin.domain.identifier import new_id
from tocsin.domain.timestamp import from_datetime, iso, now_ms
from tocsin.domain.user_id import parse_user_id
from tocsin.models.columns import to_datetime, typed
from tocsin.models.model import Model


class WebPushSubscription(Model):
    """
    A browser that takes pushes.

    Browsers subscribe over REST, which judges where an endpoint leads to, moves
    one that another user had, and keeps the number of a user's subscriptions in
    bounds. Adding one stores the row, or fails where the endpoint is there
    already; where it leads to is judged when something is sent.

    Args:
        user_id: Whose browser.
        endpoint: The URL that its push service made for it, a secret.
        p256dh: Its public key, base64url.
        auth: Its secret, base64url.
        user_agent: As it calls itself.

    Raises:
        Invalid: A field breaks a rule; the detail tells no secret.
    """

    __table__ = typed(schema.web_push_subscription)

    if TYPE_CHECKING:
        id: Mapped[str]
        user_id: Mapped[int | str]
        endpoint: Mapped[str]
        p256dh: Mapped[str]
        auth: Mapped[str]
        user_agent: Mapped[str | None]
        created_at: Mapped[datetime]
        last_seen_at: Mapped[datetime]

    def __init__(
        self, *, user_id: int | str, endpoint: str, p256dh: str, auth: str, user_agent: str | None = None
    ) -> None:
        draft = domain.WebPushDraft(
            user_id=parse_user_id(user_id), endpoint=endpoint, p256dh=p256dh, auth=auth, user_agent=user_agent
        )
        check_subscription(draft)
        now = to_datetime(now_ms())
        super().__init__(
            id=new_id(),
            user_id=draft.user_id,
            endpoint=draft.endpoint,
            p256dh=draft.p256dh,
            auth=draft.auth,
            user_agent=draft.user_agent,
            created_at=now,
            last_seen_at=now,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return what may be shown: of the endpoint its host, of the keys nothing."""
        return {
            "id": self.id,
            "user_id": self.user_id,
            "host": domain.host_of(self.endpoint),
            "user_agent": self.user_agent,
            "created_at": iso(from_datetime(self.created_at)),
            "last_seen_at": iso(from_datetime(self.last_seen_at)),
        }
