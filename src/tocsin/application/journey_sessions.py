"""What the nodes have seen of a notification, in plain words: who asked for it, which session had it, and when."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tocsin.application.witness import SENT
from tocsin.domain.journey import Record, Step
from tocsin.domain.timestamp import iso

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


@dataclass(frozen=True, slots=True)
class Witnessed:
    """
    What the nodes have seen.

    Attributes:
        nodes: What each tells, by its name; see ``Witness.tell``.
        silent: Nodes that did not answer.
    """

    nodes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    silent: Sequence[str] = ()

    def sessions(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield every session with the name of its node."""
        for node, told in self.nodes.items():
            for one in told["sessions"]:
                yield node, one

    def knows(self, at: int) -> bool:
        """Return whether every session of that time and later is told of."""
        tellings = self.nodes.values()
        return bool(tellings) and not self.silent and all(t["since"] <= at and not t["left_out"] for t in tellings)


def of_requests(seen: Witnessed, created_at: int | None) -> Iterator[Step]:
    """Yield who asked for it over REST, as far as the nodes remember."""
    for node, told in seen.nodes.items():
        for place, one in enumerate(told["created"]):
            # It is noted when it is answered.
            is_first = not place and created_at is not None and one["at"] - created_at < MAX_ANSWER_MS
            again = "again, under the same idempotency key, so that nothing new was made, "
            text = f"asked for {'' if is_first else again}by {one['by']} (scope {' '.join(one['scopes'])})"
            at = created_at if is_first else one["at"]
            yield Step(at=at, channel="inbox", kind="asked", text=text, node=node)


def of_sessions(seen: Witnessed, record: Record) -> Iterator[Step]:
    """Yield what became of it on each session, and that there was none."""
    told_at = record.told_at
    if not record.seq or told_at is None:
        return
    sessions = sorted(seen.sessions(), key=lambda found: int(found[1]["came_at"]))
    offline = _offline(seen, told_at)
    if offline is not None:
        yield offline
    shown: set[str] = set()
    for node, one in sessions:
        how, left_at = one["how"], one["left_at"]
        if (how == "left" and left_at < told_at) or how in shown:
            continue
        if how in _ONCE:
            shown.add(how)
        alike = sum(other["how"] == how for _, other in sessions)
        yield from _of_one(node, one, told_at, alike, is_withheld=record.is_withheld)


def _of_one(node: str, one: Mapping[str, Any], told_at: int, alike: int, *, is_withheld: bool) -> Iterator[Step]:
    how, left_at = one["how"], one["left_at"]

    def step(kind: str, text: str, at: int | None, *, is_bad: bool = False) -> Step:
        return Step(at=at, channel="socket", kind=kind, text=text, target=one["id"], node=node, is_bad=is_bad)

    more = f" ({one['resync']})" if how == "refetch" else ""
    if how in _ONCE and alike > 1:
        more = f", and {alike - 1} more after it"
    at = told_at if how == "live" else one["at"] or one["came_at"]
    if is_withheld and how in SENT:
        more = ", as a change that is not shown"
    yield step(how, _HOW[how] + more, at, is_bad=how in _BAD)
    if is_withheld or how not in SENT:
        pass  # an ack says nothing of it
    elif one["acked_at"] is not None:
        yield step("acked", "that session has acknowledged it by then: its page has shown it", one["acked_at"])
    else:
        why = (
            "that session has not acknowledged it: its page is in the background, or it never arrived"
            if one["acks"]
            else "that session acknowledges nothing, as stock Socket.IO clients do: whether it arrived is not known"
        )
        yield step("not_acked", why, None)
    if left_at is not None:
        yield step("left_later", f"that session ended ({one['left_reason']})", left_at)


def _offline(seen: Witnessed, told_at: int) -> Step | None:
    """Return that nobody was connected, where all nodes remember that time and none had a session."""
    sessions = [one for _, one in seen.sessions()]
    if not seen.knows(told_at) or any(_was_there(one, told_at) for one in sessions):
        return None
    last = max((one["left_at"] for one in sessions if (one["left_at"] or told_at) < told_at), default=None)
    text = "no session of the user was connected"
    if len(seen.nodes) > 1:
        text += f" to any of the {len(seen.nodes)} nodes"
    if last is not None:
        text += f"; the last one had left at {iso(last)}"
    return Step(at=told_at, channel="socket", kind="offline", text=text, is_bad=True)


def _was_there(session: Mapping[str, Any], at: int) -> bool:
    # Clocks of nodes differ; what was sent to it live says more.
    if session["how"] == "live":
        return True
    return session["came_at"] <= at and (session["left_at"] is None or session["left_at"] >= at)


def unknown(seen: Witnessed, told_at: int | None) -> Iterator[str]:
    """Yield what the nodes can't tell."""
    if told_at is not None:
        late = [f"{node} since {iso(told['since'])}" for node, told in seen.nodes.items() if told["since"] > told_at]
        if late:
            yield (
                "Who was connected then is not known: nodes remember sessions since their own start, "
                f"or since another node has gone: {', '.join(late)}."
            )
    if seen.silent:
        yield f"No answer came from {', '.join(seen.silent)}: what was seen there is not known."
    left_out = sum(told["left_out"] for told in seen.nodes.values())
    if left_out:
        yield f"{left_out} more sessions of the user were seen, the earlier ones; they are left out."
