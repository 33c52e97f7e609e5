"""The answer in one sentence: did its user get it, and if not, why."""

from collections.abc import Mapping, Sequence
from typing import Any

from tocsin.application.journey_words import why_no_push
from tocsin.domain.journey import Record
from tocsin.domain.ladder import Rung
from tocsin.domain.timestamp import iso

_SENT = frozenset({"live", "replayed"})


def verdict(
    record: Record,
    sessions: Sequence[Mapping[str, Any]] | None,
    rungs: tuple[Rung, ...],
    *,
    acked: bool | None,
    now: int,
) -> str:
    """
    Return the sentence; the strongest proof counts.

    Args:
        record: What is stored.
        sessions: What the nodes have seen, as ``Witness.tell`` says; None: they were not asked.
        rungs: Of its ladder.
        acked: Whether any device has acknowledged it; None: its place in the stream is not known.
        now: In milliseconds since 1970.
    """
    if record.scheduled is not None:
        return f"Not yet: it is to be delivered at {iso(record.scheduled.due_at)}."
    return _proof(record, sessions or (), acked=acked) or _hindrance(record, now) or _silence(record, sessions, rungs)


def _proof(record: Record, sessions: Sequence[Mapping[str, Any]], *, acked: bool | None) -> str | None:
    row = record.notification
    if row is not None and row.read_at is not None:
        return f"Yes: it was read at {iso(row.read_at)}."
    read = next((told for told in record.log if told.event == "notification_read"), None)
    if read is not None and row is None:
        return f"Yes: it was read at {iso(read.at)}."
    if acked:
        times = sorted(one["acked_at"] for one in sessions if one["acked_at"] is not None)
        return f"Yes: a device has shown it{f' at {iso(times[0])}' if times else ''}."
    arrived = next((one for one in record.attempts if one.outcome == "arrived"), None)
    if arrived is not None:
        return f"Yes: the browser {arrived.label or ''} has it since {iso(arrived.at)}.".replace(
            "browser  ", "browser "
        )
    if row is not None and row.seen_at is not None:
        return f"Yes: it was in an open list at {iso(row.seen_at)}."
    return None


def _hindrance(record: Record, now: int) -> str | None:
    payload = {} if record.first is None else record.first.payload
    category = payload.get("category") or "what has no category"
    if payload.get("archived_at"):
        return f"No: the user wants {category} out of the inbox, so it went to the archive and made no noise."
    row = record.notification
    if payload.get("snoozed_until") and row is not None and row.snoozed_until is not None and row.snoozed_until > now:
        return f"Not yet: the user wants {category} in a digest, which comes at {payload['snoozed_until']}."
    gone = next((told for told in record.log if told.event == "notification_deleted"), None)
    if gone is not None:
        what = {"expired": "it expired", "replaced": f"{gone.payload.get('replaced_by')} took its place"}
        reason = what.get(gone.payload.get("reason", ""), "it was deleted or taken back")
        return f"No: {reason} at {iso(gone.at)}, before any device is known to have shown it."
    return None


def _silence(record: Record, sessions: Sequence[Mapping[str, Any]] | None, rungs: tuple[Rung, ...]) -> str:
    pushed = _pushed(record, rungs)
    if any(one.outcome == "sent" for one in record.attempts):
        return f"Probably: {pushed}, but no device has said that it showed it."
    sent = sum(one["how"] in _SENT for one in sessions or ())
    if sent:
        which = "a session" if sent == 1 else f"{sent} sessions"
        return f"Perhaps: it was sent to {which}, none of which has acknowledged it; {pushed}."
    if record.notification is None:
        return "Not known: it is gone, and nothing tells whether any device had it."
    if sessions is None:
        return f"Not that anybody knows: no device has acknowledged it; {pushed}. It waits in the inbox."
    return f"No: no session is known to have been sent it; {pushed}. It waits in the inbox."


def _pushed(record: Record, rungs: tuple[Rung, ...]) -> str:
    attempts = record.attempts
    sent = sum(one.outcome == "sent" for one in attempts)
    if sent:
        return "a push provider took it" if sent == 1 else f"push providers took it for {sent} devices"
    for outcome, words in (
        ("dead", "pushes were given up"),
        ("refused", "a push was refused"),
        ("retry", "a push could not be sent yet"),
        ("gone", "the device that it was pushed to is gone"),
    ):
        found = next((one for one in attempts if one.outcome == outcome), None)
        if found is not None:
            return f"{words} ({found.reason})" if found.reason else words
    skipped = next((one for one in attempts if one.outcome == "skipped"), None)
    if skipped is not None:
        return f"nothing was pushed: {skipped.reason}"
    if record.delivery is not None:
        return f"pushes begin at {iso(record.delivery.due_at)}"
    return "nothing was pushed before that was over" if attempts else why_no_push(record, rungs)
