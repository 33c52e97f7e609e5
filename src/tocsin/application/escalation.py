"""What is to be done next for a notification that nobody may have seen: a decision, without any I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tocsin.application.deliveries import Due
from tocsin.domain.delivery import KEPT_MS, Ending
from tocsin.domain.ladder import ChannelName, Rung

# A reload takes the user off line for a moment; who stays away longer need not be waited for.
OFFLINE_MS = 2_000


@dataclass(frozen=True, slots=True)
class Step:
    """
    The next step.

    Attributes:
        ended: Nothing more is sent, and what was sent is taken back.
        channels: What is sent to now.
        rung: How many rungs have been reached.
        next_at: When the next rung is due, or its row may go.
        quiet_until: Nothing is sent before, the user sleeps.
    """

    ended: Ending | None = None
    channels: tuple[ChannelName, ...] = ()
    rung: int = 0
    next_at: int = 0
    quiet_until: int | None = None


def next_step(due: Due, rungs: Sequence[Rung], *, is_online: bool | None, now: int) -> Step:
    """
    Decide.

    A rung that is reached stays reached: a channel that could not be sent to is
    tried again while later ones are climbed. Nobody waits for the ack of a user
    who is known to have no socket. Only an urgent one disturbs quiet hours.

    Args:
        due: What was claimed.
        rungs: Of its ladder.
        is_online: Whether the user has a socket; None: nobody knows.
        now: In milliseconds since 1970.
    """
    held = due.delivery
    ended = held.ended or _ending(due, now)
    if ended is not None:
        return Step(ended=ended, rung=held.rung)
    # No rung comes before an earlier one, though presence brings forward some and not others.
    times = list(accumulate((_time(rung, held.created_at, is_online=is_online) for rung in rungs), max))
    reached = max(held.rung, sum(time <= now for time in times))
    end_at = held.created_at + KEPT_MS if held.expires_at is None else min(held.created_at + KEPT_MS, held.expires_at)
    next_at = min([*times[reached:], end_at])
    if not rungs or now >= held.created_at + KEPT_MS:
        return Step(ended="done", rung=held.rung)
    if not reached:
        return Step(next_at=next_at)
    quiet_until = None if held.priority == "urgent" else due.preferences.quiet_until_after(now)
    if quiet_until is not None:
        return Step(rung=held.rung, next_at=min(quiet_until, end_at), quiet_until=quiet_until)
    channels = tuple(dict.fromkeys(name for rung in rungs[:reached] for name in rung.channels))
    return Step(channels=channels, rung=reached, next_at=next_at)


def _ending(due: Due, now: int) -> Ending | None:
    held, notification = due.delivery, due.notification
    if notification is None:
        return "expired" if held.expires_at is not None and held.expires_at <= now else "deleted"
    if notification.read_at is not None:
        return "read"
    if held.expires_at is not None and held.expires_at <= now:
        return "expired"
    return "acked" if held.acked >= held.seq else None


def _time(rung: Rung, created_at: int, *, is_online: bool | None) -> int:
    after_ms = rung.after_s * 1_000
    if is_online is False and "channels" not in rung.channels:
        after_ms = min(after_ms, OFFLINE_MS)
    return created_at + after_ms
