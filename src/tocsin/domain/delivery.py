"""
The delivery of one notification beyond its stream: what is due, what was tried, why it ended.

Instants are milliseconds since 1970.
"""

from dataclasses import dataclass
from typing import Any, Literal

from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId

# Why no rung is climbed any more.
Ending = Literal["acked", "read", "archived", "snoozed", "claimed", "replaced", "deleted", "expired", "done"]

AttemptOutcome = Literal[
    "sent",  # the provider took it
    "arrived",  # a browser proved that it came
    "gone",  # the target is no more, and was removed
    "refused",  # the same would be refused again
    "retry",  # it will be tried again
    "dead",  # given up after many tries
    "skipped",  # nothing was sent there, the reason says why
    "retracted",  # taken back
    "ended",  # nothing more is sent, the reason says why
]

# A taken-back push is of use for as long as one may still be shown.
KEPT_MS = 7 * 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """
    What is to be done for one notification, held by whoever claimed it.

    Attributes:
        rung: Which rung of its ladder comes next, from 0.
        tries: How often this rung was tried without an end.
        due_at: When to look at it again.
        lease: Number of the claim; of an older one nothing is saved.
        ended: Why nothing more is to be sent; None: it goes on.
        acked: The highest seq of the stream that a device has acknowledged.
    """

    notification_id: str
    user_id: UserId
    seq: int
    category: str | None
    priority: str
    created_at: int
    expires_at: int | None
    rung: int
    tries: int
    due_at: int
    lease: int
    ended: Ending | None
    acked: int


def quiet_reason(until: int) -> str:
    """Return why nothing is sent before quiet hours end; of a later instant it sorts later."""
    return f"quiet hours until {iso(until)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """
    One row of a notification's trace.

    Attributes:
        channel: ``fcm``, ``webpush`` or ``channels``; ``socket`` for the streams.
        target: The id of the device, subscription or channel; None: of all or none.
        label: What may be told of the target: a platform, a host, a scheme; no secret.
        reason: A provider's word, or ours.
        provider_id: The provider's id of what it took.
        retry_at: Of ``retry``: the target is not tried before; None: of any other, or an earlier release's.
    """

    notification_id: str
    user_id: UserId
    channel: str
    outcome: AttemptOutcome
    target: str | None = None
    label: str | None = None
    reason: str = ""
    provider_id: str | None = None
    at: int = 0
    retry_at: int | None = None

    def json(self) -> dict[str, Any]:
        """Return the step as the trace tells it."""
        return {
            "at": iso(self.at),
            "channel": self.channel,
            "target": self.target,
            "label": self.label,
            "outcome": self.outcome,
            "reason": self.reason,
            "provider_id": self.provider_id,
        }
