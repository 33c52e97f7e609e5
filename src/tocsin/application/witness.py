"""
What a node has seen of sessions and authors, in memory: for the trace, and for nothing else.

The log says what was committed and the ladder's rows say what was pushed. Which session was there for an event is
written nowhere, because that would cost a row for each. It follows from two numbers a session:
the seq up to which it was brought when it came, and the seq at which it left. Everything between was sent to it live.
So nothing is done for an event, and little for a session. Of those that have left the first ones are forgotten first,
and a restart forgets all: ``since`` tells how far back a node remembers.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from tocsin.domain.principal import Principal
from tocsin.domain.timestamp import is_instant, now_ms
from tocsin.domain.user_id import UserId, user_id_json

NAMESPACE = "/notifications"
# That have left; those that are here are as many as the connections.
MAX_LEFT = 8_192
MAX_AUTHORS = 8_192
# Of one session. Its first run is kept, which tells what came before it; of others, and of acks, the last ones.
MAX_RUNS = 8
MAX_ACKS = 4
MAX_TOLD = 100
# How a seq reached a session: see ``_reached``.
HOW = frozenset({"had", "live", "replayed", "refetch", "before", "left", "waiting"})
# It was sent it: an ack of this session proves something.
SENT = frozenset({"live", "replayed"})


class Sighting:
    """
    One session on ``/notifications``; instants are milliseconds since 1970.

    Attributes:
        cursor: The seq that the client said to have; None: it keeps no cursor.
        runs: ``(at, after, head)`` of each time it was brought from a seq up to the head.
        acks: ``(seq, at)`` of its last ones.
        resync: Why it was told to refetch instead.
        left: ``(at, head, reason)``; None: it is here.
    """

    __slots__ = ("acks", "came_at", "cursor", "left", "resync", "runs", "user_id")

    def __init__(self, user_id: UserId, came_at: int, cursor: int | None) -> None:
        self.user_id = user_id
        self.came_at = came_at
        self.cursor = cursor
        self.runs: tuple[tuple[int, int, int], ...] = ()
        self.acks: tuple[tuple[int, int], ...] = ()
        self.resync: str | None = None
        self.left: tuple[int, int, str] | None = None

    def forget(self, reason: str) -> None:
        """Forget what it was sent: it was told to refetch, and seqs of before may be those of another log."""
        self.runs, self.acks, self.resync = (), (), reason


class Witness:
    """
    Remembers sessions with their acks, and who created what. Belongs to the event loop's thread.

    Bounded: the sessions that are here, ``MAX_LEFT`` that have left, ``MAX_AUTHORS`` requests.

    Args:
        clock: Milliseconds since 1970.
    """

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._since = clock()
        self._here: dict[str, Sighting] = {}
        self._left: OrderedDict[str, Sighting] = OrderedDict()
        self._authors: deque[tuple[str, int, Principal]] = deque(maxlen=MAX_AUTHORS)

    @property
    def since(self) -> int:
        """Return from when on every session is remembered."""
        return self._since

    def came(self, session_id: str, user_id: UserId, cursor: int | None) -> None:
        """Note that a session has begun, with the seq it says to have."""
        self._here[session_id] = Sighting(user_id, self._clock(), cursor)

    def caught_up(self, session_id: str, after: int, head: int) -> None:
        """Note that a session was sent what follows a seq, up to the head, and gets the rest live."""
        sighting = self._here.get(session_id)
        if sighting is not None:
            first, others = sighting.runs[:1], sighting.runs[1:]
            sighting.runs = (*first, *others[-(MAX_RUNS - 2) :], (self._clock(), after, head))

    def resynced(self, session_id: str, reason: str) -> None:
        """Note that a session was told to refetch, because its cursor could not be resumed."""
        sighting = self._here.get(session_id)
        if sighting is not None:
            sighting.forget(reason)

    def rooms_resynced(self, reason: str, heads: Mapping[UserId, int]) -> None:
        """Note that all sessions of some users that were up to date were told to refetch up to a seq."""
        now = self._clock()
        for sighting in self._here.values():
            head = heads.get(sighting.user_id)
            if head is not None and sighting.runs:
                sighting.forget(reason)
                sighting.runs = ((now, head, head),)
        if reason == "epoch_changed":
            # What was sent to them was of another log.
            self._left.clear()
            self._since = now

    def acked(self, session_id: str, seq: int) -> None:
        """Note that a session has shown everything up to a seq."""
        sighting = self._here.get(session_id)
        if sighting is not None:
            sighting.acks = (*sighting.acks[-(MAX_ACKS - 1) :], (seq, self._clock()))

    def left(self, session_id: str, head: int, reason: str) -> None:
        """Note that a session has ended, and up to which seq it had been sent."""
        sighting = self._here.pop(session_id, None)
        if sighting is None:
            return
        now = self._clock()
        sighting.left = (now, head, reason)
        self._left[session_id] = sighting
        if len(self._left) > MAX_LEFT:
            _, first = self._left.popitem(last=False)
            if first.left is not None:
                self._since = max(self._since, first.left[0] + 1)

    def created(self, notification_id: str, by: Principal) -> None:
        """Note who asked for a notification; once more where the same was asked for again."""
        self._authors.append((notification_id, self._clock(), by))

    # What is asked

    def tell(self, notification_id: str, user_id: UserId, seq: int, head: int) -> dict[str, Any]:
        """
        Return what this node has seen of one notification.

        Sessions are told with the latest first, those that had left before it last; ``acked_at`` is an instant
        by which a session that was sent it had shown it.

        Args:
            notification_id: Which.
            user_id: Whose it is.
            seq: Its place in the stream; 0: it is not known.
            head: How far sessions that are here have been sent.
        """
        mine = [
            _session(key, one, seq, head)
            for sessions in (self._left, self._here)
            for key, one in sessions.items()
            if one.user_id == user_id
        ]
        # Whoever had left before says least.
        mine.sort(key=lambda told: (told["how"] == "left", -told["came_at"]))
        return {
            "since": self._since,
            "sessions": mine[:MAX_TOLD] if seq else [],
            "left_out": sum(told["how"] != "left" for told in mine[MAX_TOLD:]),
            "created": list(islice(self._asked_for(notification_id), MAX_TOLD)),
        }

    def _asked_for(self, notification_id: str) -> Iterator[dict[str, Any]]:
        for known_id, at, by in self._authors:
            if known_id == notification_id:
                yield {"at": at, "by": user_id_json(by.user_id), "scopes": sorted(by.scopes)}


def is_testimony(told: Any) -> bool:
    """Return whether what came from another node is what ``Witness.tell`` returns."""
    match told:
        case {"since": int(), "sessions": list(sessions), "left_out": int(), "created": list(created)}:
            return all(map(_is_session, sessions)) and all(map(_is_asking, created))
    return False


def _is_session(told: Any) -> bool:
    instants = ("at", "left_at", "acked_at")
    match told:
        case {"id": str(), "came_at": came_at, "how": str(how), "acks": bool(), "resync": resync, "left_reason": left}:
            texts = all(one is None or isinstance(one, str) for one in (resync, left))
            numbers = all(told.get(name) is None or is_instant(told[name]) for name in instants)
            return texts and numbers and is_instant(came_at) and how in HOW
    return False


def _is_asking(told: Any) -> bool:
    match told:
        case {"at": at, "by": int() | str(), "scopes": list(scopes)}:
            return is_instant(at) and all(isinstance(scope, str) for scope in scopes)
    return False


def _session(session_id: str, one: Sighting, seq: int, head: int) -> dict[str, Any]:
    how, at = _reached(one, seq, head)
    return {
        "id": session_id,
        "came_at": one.came_at,
        "cursor": one.cursor,
        "how": how,
        "at": at,
        "resync": one.resync,
        "left_at": None if one.left is None else one.left[0],
        "left_reason": None if one.left is None else one.left[2],
        # A client's first ack covers all that was before it came, which it was never sent.
        "acked_at": next((at for acked, at in one.acks if acked >= seq), None) if how in SENT else None,
        "acks": bool(one.acks),
    }


def _reached(one: Sighting, seq: int, head: int) -> tuple[str, int | None]:
    """
    Return how a seq reached a session, and when where that is known.

    ``had``, ``live``, ``replayed``, ``refetch``, ``before`` (it keeps no cursor and came later), ``left``
    (before it was sent), ``waiting``.
    """
    replayed = _replayed(one.runs, seq)
    if replayed is not None:
        return "replayed", replayed
    if one.cursor is not None and one.cursor >= seq and one.resync is None:
        return "had", None
    if one.resync is not None and one.runs and seq <= one.runs[0][1]:
        return "refetch", one.runs[0][0]
    if one.runs and one.cursor is None and seq <= one.runs[0][1]:
        return "before", None
    sent = head if one.left is None else one.left[1]
    if one.runs and seq <= sent:
        return "live", None
    return ("waiting" if one.left is None else "left"), None


def _replayed(runs: Sequence[tuple[int, int, int]], seq: int) -> int | None:
    return next((at for at, after, head in runs if after < seq <= head), None)
