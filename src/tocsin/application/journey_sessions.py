"""What the nodes have seen of a notification, in plain words: who asked for it, which session had it, and when."""

from collections.abc import Iterator, Mapping
from typing import Any

from tocsin.domain.journey import Record, Step
from tocsin.domain.timestamp import iso

Witnessed = Mapping[str, Mapping[str, Any]]
"""What each node has seen, by its name; see ``Witness.tell``."""

MAX_ANSWER_MS = 60_000

_HOW = {
    "live": "sent to a session that was connected",
    "replayed": "sent from the log to a session that came back",
    "had": "a session came back and said that it has it",
    "refetch": "a session came back with a cursor that can't be resumed, and was told to fetch the inbox anew",
    "before": "a session came later and keeps no cursor: what was before it sees in its list alone",
    "waiting": "a session is being brought up to date, and has not been sent it yet",
    "left": "a session left before it was sent it",
}
_BAD = frozenset({"before", "waiting", "left"})
# The first of these says all.
_ONCE = frozenset({"had", "before"})


def of_requests(seen: Witnessed, created_at: int | None) -> Iterator[Step]:
    """Yield who asked for it over REST, as far as the nodes remember."""
    for node, told in seen.items():
        for place, one in enumerate(told["created"]):
            # It is noted when it is answered.
            is_first = not place and created_at is not None and one["at"] - created_at < MAX_ANSWER_MS
            again = "again, under the same idempotency key, so that nothing new was made, "
            text = f"asked for {'' if is_first else again}by {one['by']} (scope {' '.join(one['scopes'])})"
            at = created_at if is_first else one["at"]
            yield Step(at=at, channel="inbox", kind="asked", text=text, node=node)


def of_sessions(seen: Witnessed, record: Record) -> Iterator[Step]:
    """Yield what became of it on each session, and that there was none."""
    created_at = record.created_at
    if not record.seq or created_at is None:
        return
    sessions = sorted(_all(seen), key=lambda found: int(found[1]["came_at"]))
    offline = _offline(seen, created_at)
    if offline is not None:
        yield offline
    shown: set[str] = set()
    for node, one in sessions:
        how, left_at = one["how"], one["left_at"]
        if (left_at is not None and left_at < created_at) or how in shown:
            continue
        if how in _ONCE:
            shown.add(how)
        yield from _of_one(node, one, created_at, sum(other["how"] == how for _, other in sessions))


def _all(seen: Witnessed) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for node, told in seen.items():
        for one in told["sessions"]:
            yield node, one


def _of_one(node: str, one: Mapping[str, Any], created_at: int, alike: int) -> Iterator[Step]:
    how, left_at = one["how"], one["left_at"]

    def step(kind: str, text: str, at: int | None, *, is_bad: bool = False) -> Step:
        return Step(at=at, channel="socket", kind=kind, text=text, target=one["id"], node=node, is_bad=is_bad)

    more = f" ({one['resync']})" if how == "refetch" else ""
    if how in _ONCE and alike > 1:
        more = f", and {alike - 1} more after it"
    at = created_at if how == "live" else one["at"] or one["came_at"]
    yield step(how, _HOW[how] + more, at, is_bad=how in _BAD)
    if one["acked_at"] is not None:
        yield step("acked", "that session acknowledged it: its page has shown it", one["acked_at"])
    elif how in {"live", "replayed"}:
        why = (
            "that session has not acknowledged it: its page is in the background, or it never arrived"
            if one["acks"]
            else "that session acknowledges nothing, as stock Socket.IO clients do: whether it arrived is not known"
        )
        yield step("not_acked", why, None)
    if left_at is not None:
        yield step("left_later", f"that session ended ({one['left_reason']})", left_at)


def _offline(seen: Witnessed, created_at: int) -> Step | None:
    """Return that nobody was connected, where all nodes remember that time and none had a session."""
    sessions = [one for _, one in _all(seen)]
    knows = bool(seen) and all(told["since"] <= created_at for told in seen.values())
    if not knows or any(_was_there(one, created_at) for one in sessions):
        return None
    last = max((one["left_at"] for one in sessions if (one["left_at"] or created_at) < created_at), default=None)
    text = "no session of the user was connected"
    if len(seen) > 1:
        text += f" to any of the {len(seen)} nodes"
    if last is not None:
        text += f"; the last one had left at {iso(last)}"
    return Step(at=created_at, channel="socket", kind="offline", text=text, is_bad=True)


def _was_there(session: Mapping[str, Any], at: int) -> bool:
    return session["came_at"] <= at and (session["left_at"] is None or session["left_at"] >= at)


def unknown(seen: Witnessed, created_at: int | None) -> Iterator[str]:
    """Yield what the nodes can't tell."""
    if created_at is not None:
        late = [f"{node} since {iso(told['since'])}" for node, told in seen.items() if told["since"] > created_at]
        if late:
            yield f"Who was connected then is not known to nodes that remember only later sessions: {', '.join(late)}."
    left_out = sum(told["left_out"] for told in seen.values())
    if left_out:
        yield f"{left_out} more sessions of the user were seen, the earlier ones; they are left out."
