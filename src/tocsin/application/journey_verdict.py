"""The answer in one sentence: did its user get it, and if not, why."""

from tocsin.application.journey_sessions import Witnessed
from tocsin.application.journey_words import changed, why_no_push
from tocsin.application.witness import SENT
from tocsin.domain.journey import Record, Told
from tocsin.domain.ladder import Rung
from tocsin.domain.timestamp import iso

_READ = {
    "read": "it was read",
    "unread": "it was marked as unread",
    "seen": "it was in an open list",
}
_MOVED = frozenset({"archived", "unarchived", "snoozed", "unsnoozed"})
_PLACES = {
    "listed": "It waits in the inbox.",
    "archived": "It is in the archive.",
    "snoozed": "It is snoozed.",
    "expired": "It has expired.",
}


def verdict(record: Record, seen: Witnessed | None, rungs: tuple[Rung, ...], *, acked: bool | None, state: str) -> str:
    """
    Return the sentence; the strongest proof counts, and what nobody can know is not claimed.

    Args:
        record: What is stored.
        seen: What the nodes have seen; None: they were not asked.
        rungs: Of its ladder.
        acked: Whether any device has acknowledged its stream up to it; None: its place there is not known.
        state: As ``Journey.state`` says.
    """
    if record.scheduled is not None:
        return f"Not yet: it is to be delivered at {iso(record.scheduled.due_at)}."
    pushed = _pushed(record, rungs)
    found = _proof(record, seen) or _moved(record, pushed)
    if found is None and record.is_withheld:
        found = _withheld(record)
    return found or _sent(record, seen, pushed, acked=acked) or _silence(record, seen, pushed, _PLACES.get(state, ""))


def _proof(record: Record, seen: Witnessed | None) -> str | None:
    row = record.notification
    if row is not None and row.read_at is not None:
        return f"Yes: it was read at {iso(row.read_at)}."
    done = {kind: told for kind, _, told in reversed(list(_done(record)))}
    for kind in ("read", "unread"):
        if kind in done:
            return f"Yes: {_READ[kind]} at {iso(done[kind].at)}."
    if seen is not None and not record.is_withheld:
        times = [one["acked_at"] for _, one in seen.sessions() if one["how"] in SENT and one["acked_at"] is not None]
        if times:
            return f"Yes: a device had shown it by {iso(min(times))}."
    arrived = next((one for one in record.attempts if one.outcome == "arrived"), None)
    if arrived is not None:
        return f"Yes: the browser {f'{arrived.label} ' if arrived.label else ''}has it since {iso(arrived.at)}."
    if row is not None and row.seen_at is not None:
        return f"Yes: {_READ['seen']} at {iso(row.seen_at)}."
    return f"Yes: {_READ['seen']} at {iso(done['seen'].at)}." if "seen" in done else None


def _moved(record: Record, pushed: str) -> str | None:
    """Return that it was put somewhere by itself, which nobody does who has not seen it."""
    for kind, text, told in _done(record):
        if kind in _MOVED and told.payload.get("id") is not None:
            return f"Probably: it was {text} at {iso(told.at)}, as users do with what they have seen; {pushed}."
    return None


def _done(record: Record) -> list[tuple[str, str, Told]]:
    """Return what was done with it after it was made, with the kind and the words of each."""
    later = (told for told in record.log if told is not record.first and told is not record.digest)
    return [(kind, text, told) for told in later for kind, text, _ in [changed(record, told)]]


def _withheld(record: Record) -> str | None:
    """Return where it is kept from its user, by the user's own wish."""
    row = record.notification
    category = record.said("category") or "what has no category"
    if record.digest_id is None:
        return f"No: the user wants {category} out of the inbox, so it went to the archive and made no noise."
    if row is None:
        return None
    if row.snoozed_until is not None:
        return f"Not yet: the user wants {category} in a digest, which comes at {iso(row.snoozed_until)}."
    digest = record.digest
    if digest is not None:
        return (
            f"Not by itself: it came in the digest {digest.payload['id']} at {iso(digest.at)}, which has its own trace."
        )
    if record.first is not None:
        return f"No: it waited for a digest of {category}, and went to the archive because none was to come any more."
    return "Not known: it was held for a digest, and what became of that is no longer in the log."


def _sent(record: Record, seen: Witnessed | None, pushed: str, *, acked: bool | None) -> str | None:
    """Return on what ways it may have come, where none of them tells that it did."""
    after = f" Then {_end(record)}." if _end(record) else ""
    if any(one.outcome == "sent" for one in record.attempts):
        return f"Probably: {pushed}, but no device is known to have shown it.{after}"
    if record.is_withheld:
        return None
    ways = [] if seen is None else [one["how"] for _, one in seen.sessions()]
    sent = sum(how in SENT for how in ways)
    if sent:
        which = "a session" if sent == 1 else f"{sent} sessions"
        return f"Perhaps: it was sent to {which}, none of which has acknowledged it; {pushed}.{after}"
    if acked:
        likely = "Probably" if seen is None else "Perhaps"
        but = "but none that is known to have been sent it"
        return f"{likely}: a device has acknowledged everything up to it, {but}; {pushed}.{after}"
    if "had" in ways:
        return f"Perhaps: a session came back and said that it has it; {pushed}.{after}"
    return None


def _silence(record: Record, seen: Witnessed | None, pushed: str, place: str) -> str:
    is_known = seen is not None and record.told_at is not None and seen.knows(record.told_at)
    no = "No" if is_known else "Not that anybody knows"
    end = _end(record)
    if end is not None:
        gone = next(told for told in record.log if told.event == "notification_deleted")
        if "reason" not in gone.payload:
            return f"Not known: {end}; no device is known to have shown it before."
        return f"{no}: {end}, before any device is known to have shown it."
    if record.notification is None:
        return "Not known: it is gone, and nothing tells whether any device had it."
    if seen is not None and seen.silent:
        silent = ", ".join(seen.silent)
        return f"Not known: no answer came from {silent}, and no session of another node had it; {pushed}. {place}"
    if not is_known:
        return f"{no}: no device has acknowledged it; {pushed}. {place}"
    return f"{no}: no session is known to have been sent it; {pushed}. {place}"


def _end(record: Record) -> str | None:
    """Return when it was taken out and why, as a clause; None: it was not, as far as the log tells."""
    gone = next((told for told in record.log if told.event == "notification_deleted"), None)
    if gone is None:
        return None
    what = {"expired": "it expired", "replaced": f"{gone.payload.get('replaced_by')} took its place"}
    reason = what.get(gone.payload.get("reason", ""), "it was deleted by its user, or taken back,")
    return f"{reason} at {iso(gone.at)}"


def _pushed(record: Record, rungs: tuple[Rung, ...]) -> str:
    attempts = record.attempts
    sent = sum(one.outcome == "sent" for one in attempts)
    if sent:
        return "a push provider took it" if sent == 1 else f"push providers took it {sent} times"
    latest = {(one.channel, one.target): one for one in attempts}.values()
    for outcome, words in (
        ("dead", "pushes were given up"),
        ("refused", "a push was refused"),
        ("retry", "a push could not be sent yet"),
        ("gone", "the device that it was pushed to is gone"),
    ):
        found = next((one for one in latest if one.outcome == outcome), None)
        if found is not None:
            return f"{words} ({found.reason})" if found.reason else words
    skipped = [one for one in attempts if one.outcome == "skipped"]
    if skipped:
        why = skipped[-1]
        if why.channel != "ladder":
            # That the user has nothing of another kind, or the server no credentials for it, is not why.
            had = {target.channel for target in record.targets} | ({"channels"} if record.has_channels else set())
            why = next((one for one in reversed(skipped) if one.channel in had), why)
        return f"nothing was pushed: {why.reason}"
    if record.delivery is not None:
        return f"pushes begin at {iso(record.delivery.due_at)}"
    return "nothing was pushed before that was over" if attempts else why_no_push(record, rungs)
