"""What the log and the ladder say of a notification, step by step in plain words."""

from collections.abc import Iterator
from typing import Any

from tocsin.domain.delivery import Attempt
from tocsin.domain.journey import Record, Step, Told
from tocsin.domain.ladder import Rung
from tocsin.domain.notification import Notification
from tocsin.domain.timestamp import iso

CHANNELS = {"fcm": "Firebase", "webpush": "Web Push", "channels": "other channels", "ladder": "the push ladder"}

_CONTENT = ("type", "title", "message", "data", "category", "priority", "sound", "expires_at")
_ENDINGS = {
    "acked": "a device has acknowledged it, or everything up to it",
    "read": "it was read",
    "archived": "it was archived",
    "snoozed": "it was snoozed",
    "claimed": "somebody has claimed it",
    "replaced": "another one took its place",
    "deleted": "it was deleted",
    "expired": "it has expired",
}
_PROOFS = {
    "shown": "the browser has shown it",
    "clicked": "it was clicked in the browser",
    "closed": "it was closed in the browser",
}
_SKIPPED = {
    "muted by the user": "nothing is sent: the user has muted it for this category",
    "nothing is registered": "nothing is sent: the user has nothing registered for it",
    "not set up on this server": "nothing is sent: this server has no credentials for it",
}


def of_origin(record: Record) -> Iterator[Step]:
    """Yield who asked for it, and which job made it."""
    asked, job = record.asked, record.job
    if asked is not None:
        scopes = f" (scope {' '.join(asked.scopes)})" if asked.scopes else ""
        text = (
            f"asked for by {asked.by}{scopes} with the idempotency key {asked.key}: "
            "within 24 hours the same request gets this one again, and makes none"
        )
        yield Step(at=record.created_at, channel="inbox", kind="asked", text=text, target=asked.key)
    if job is not None:
        text = f"made by the job {job.id} {f'for the topic {job.topic}' if job.topic else 'for a list of users'}"
        yield Step(at=record.created_at, channel="inbox", kind="job", text=text, target=job.id)
    if record.scheduled is not None:
        kept, due = record.scheduled.created_at, record.scheduled.due_at
        yield Step(at=kept, channel="inbox", kind="scheduled", text=f"accepted, to be delivered at {iso(due)}")
        yield Step(at=due, channel="inbox", kind="planned", text="is delivered, unless it is taken back before")


def of_inbox(record: Record) -> Iterator[Step]:
    """Yield what the log says of it; where that is gone, what its row does."""
    first = record.first
    for told in record.log:
        if told is first:
            yield from _stored(told)
        else:
            kind, text, is_bad = changed(record, told)
            yield Step(at=told.at, channel="inbox", kind=kind, text=text, is_bad=is_bad)
    if first is None and record.notification is not None:
        yield from _of_row(record.notification, {step.event for step in record.log})


def _stored(told: Told) -> Iterator[Step]:
    payload = told.payload
    yield Step(at=told.at, channel="inbox", kind="stored", text=f"stored as number {told.seq} of the user's stream")

    def aside(kind: str, text: str, *, is_bad: bool = False) -> Step:
        return Step(at=told.at, channel="inbox", kind=kind, text=text, is_bad=is_bad)

    category = payload.get("category") or "what has no category"
    if payload.get("archived_at"):
        yield aside(
            "archived", f"put into the archive at once: the user wants {category} out of the inbox", is_bad=True
        )
    elif payload.get("snoozed_until"):
        text = f"held back for a digest until {payload['snoozed_until']}, as the user wants for {category}"
        yield aside("held", text, is_bad=True)
    if payload.get("silent"):
        yield aside("silent", "told without a sound: quiet hours, a mute, or a category without sound")
    if payload.get("toast") is False:
        yield aside("no_toast", "told without a pop-up: a mute, or a category without pop-ups")


def changed(record: Record, told: Told) -> tuple[str, str, bool]:
    """Return what a later event of the log did: its kind, its words, and whether it is bad."""
    payload = told.payload
    every = f", with all others{_of(payload)}" if payload.get("all") else ""
    match told.event:
        case "notification" if payload.get("id") != record.notification_id:
            return "digest", f"the digest {payload.get('id')} came, which it is part of", False
        case "notification":
            return "returned", f"came back from its snooze, as number {told.seq}", False
        case "notification_read":
            return "read", f"read{every}", False
        case "notification_deleted":
            return _gone(payload)
    return _updated(payload, every)


def _gone(payload: dict[str, Any]) -> tuple[str, str, bool]:
    reason = payload.get("reason")
    if reason == "expired":
        return "expired", "expired, and was taken out everywhere", True
    if reason == "replaced":
        return "replaced", f"replaced by {payload.get('replaced_by')}, which has the same key", True
    return "deleted", "deleted by its user, or taken back by the back end", True


def _updated(payload: dict[str, Any], every: str) -> tuple[str, str, bool]:
    if (claim := payload.get("claim")) is not None and "title" not in payload:
        return "claimed", f"claimed by {claim.get('claimed_by')}", False
    if payload.get("archived_at"):
        return "archived", f"archived{every}", False
    if payload.get("snoozed_until"):
        return "snoozed", f"snoozed until {payload['snoozed_until']}", False
    if content := [name for name in _CONTENT if name in payload]:
        return "edited", f"changed: {', '.join(content)}", False
    for name, kind, undone in (
        ("read_at", "unread", "marked as unread"),
        ("archived_at", "unarchived", "taken out of the archive"),
        ("snoozed_until", "unsnoozed", "taken out of its snooze"),
    ):
        if name in payload and payload[name] is None:
            return kind, undone, False
    if payload.get("seen_at"):
        return "seen", f"seen in the list{every}", False
    return "updated", "changed", False


def _of(payload: dict[str, Any]) -> str:
    return f" of {payload['category']}" if payload.get("category") else ""


def _of_row(row: Notification, known: set[str]) -> Iterator[Step]:
    marks = [
        (row.created_at, "stored", f"stored; it stands as number {row.seq} of the user's stream"),
        (row.updated_at, "edited", "changed for the last time"),
        (row.seen_at, "seen", "seen in the list"),
        (None if "notification_read" in known else row.read_at, "read", "read"),
        (row.archived_at, "archived", "archived"),
        (row.claimed_at, "claimed", f"claimed by {row.claimed_by}"),
    ]
    for at, kind, text in marks:
        if at is not None:
            yield Step(at=at, channel="inbox", kind=kind, text=text)


def of_ladder(record: Record, rungs: tuple[Rung, ...], kept_since: int) -> Iterator[Step]:
    """
    Yield what was pushed and what comes next, or why nothing was.

    Args:
        record: Of the notification.
        rungs: Of its ladder, as this server has it now.
        kept_since: Attempts before this instant are not kept.
    """
    for attempt in record.attempts:
        yield _attempt(attempt)
    held, created_at = record.delivery, record.created_at
    if held is not None and held.ended is None:
        left = rungs[held.rung :]
        names = dict.fromkeys(CHANNELS[name] for rung in left[:1] for name in rung.channels)
        what = f"rung {held.rung + 1}: {' and '.join(names)}" if names else "the end of the ladder"
        if any(attempt.retry_at == held.due_at for attempt in record.attempts):
            what = "what could not be sent is tried again"
        text = f"{what}, unless somebody acknowledges or reads it before"
        yield Step(at=held.due_at, channel="ladder", kind="planned", text=text)
    elif held is not None:
        yield Step(at=held.due_at, channel="ladder", kind="ending", text="what was pushed is being taken back")
    if created_at is None or record.scheduled is not None:
        return
    tried = {attempt.target for attempt in record.attempts}
    for target in record.targets:
        if target.id not in tried and target.created_at > created_at:
            text = f"{target.label} was registered after it was made"
            yield Step(
                at=target.created_at, channel=target.channel, kind="registered", text=text, target=target.id,
                label=target.label,
            )  # fmt: skip
    if not record.attempts and held is None and created_at >= kept_since:
        text = why_no_push(record, rungs)
        yield Step(at=created_at, channel="ladder", kind="skipped", text=text, is_bad=True)


def why_no_push(record: Record, rungs: tuple[Rung, ...]) -> str:
    """Return why no ladder was begun, as far as what is stored now tells."""
    told_at, row = record.told_at or 0, record.notification
    if record.is_withheld:
        if record.digest_id is None:
            return "nothing is pushed: the user wants this category out of the inbox"
        return "nothing is pushed of it by itself: it was held for a digest"
    if row is not None and row.claimed_at is not None and row.claimed_at <= row.created_at:
        return "nothing is pushed: somebody had claimed it before it was made"
    if not rungs:
        return f"nothing is pushed: the priority {record.said('priority')} has no ladder (TOCSIN_PUSH_LADDER)"
    if any(target.created_at <= told_at for target in record.targets):
        return "nothing was pushed: the ladder was begun and left no step, as when all of it was over at once"
    if record.has_channels:
        return "nothing was pushed: the user had no device or browser, and the channel was set up later or has no rung"
    return "nothing was pushed: the user had no device, browser or channel when it was made"


def _attempt(attempt: Attempt) -> Step:
    text, is_bad = _outcome(attempt)
    name = CHANNELS.get(attempt.channel, attempt.channel)
    return Step(
        at=attempt.at,
        channel=attempt.channel,
        kind=attempt.outcome,
        text=text if attempt.channel == "ladder" else f"{name}: {text}",
        target=attempt.target,
        label=attempt.label,
        is_bad=is_bad,
    )


def _outcome(attempt: Attempt) -> tuple[str, bool]:
    reason = attempt.reason
    why = f" ({reason})" if reason else ""
    match attempt.outcome:
        case "sent":
            return "the provider took it", False
        case "arrived":
            return _PROOFS.get(reason, reason), False
        case "gone":
            return f"the device is gone{why}, and its registration was removed", True
        case "refused":
            return f"refused{why}; the same would be refused again", True
        case "retry":
            return f"could not be sent{why}, and is tried again", True
        case "dead":
            return f"given up after ten tries{why}", True
        case "retracted":
            return "taken back from the device", False
        case "ended":
            return f"nothing more is pushed: {_ENDINGS.get(reason, reason)}", False
    return _SKIPPED.get(reason, f"nothing is sent: {reason}"), True
