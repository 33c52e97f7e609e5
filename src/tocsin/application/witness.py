"""
What a node has seen of sessions and authors, in memory: for the trace, and for nothing else.

The log says what was committed and the ladder's rows say what was pushed. Which session was there for an event is
written nowhere, because that would cost a row for each. It follows from two numbers a session:
the seq up to which it was brought when it came, and the seq at which it left. Everything between was sent to it live.
So nothing is done for an event, and little for a session. The oldest are forgotten first, and a restart forgets all:
``since`` tells how far back a node remembers.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tocsin.domain.principal import Principal
from tocsin.domain.timestamp import is_instant, now_ms
from tocsin.domain.user_id import UserId, user_id_json

NAMESPACE = "/notifications"
MAX_SESSIONS = 8_192
MAX_ACKS = 16_384
MAX_AUTHORS = 8_192
# Of one session; a client that asks for more replays is remembered by its last ones.
MAX_RUNS = 8
MAX_TOLD = 100
# How a seq reached a session: see ``_reached``.
HOW = frozenset({"had", "live", "replayed", "refetch", "before", "left", "waiting"})


class Sighting:
    """
    One session on ``/notifications``; instants are milliseconds since 1970.

    Attributes:
        cursor: The seq that the client said to have; None: it keeps no cursor.
        runs: ``(at, after, head)`` of each time it was brought from a seq up to the head.
        resync: Why it was told to refetch instead.
        left: ``(at, head, reason)``; None: it is here.
    """

    __slots__ = ("came_at", "cursor", "left", "resync", "runs", "user_id")

    def __init__(self, user_id: UserId, came_at: int, cursor: int | None) -> None:
        self.user_id = user_id
        self.came_at = came_at
        self.cursor = cursor
        self.runs: tuple[tuple[int, int, int], ...] = ()
        self.resync: str | None = None
        self.left: tuple[int, int, str] | None = None


class Witness:
    """
    Remembers sessions, their acks and who created what, each a bounded number. Belongs to the event loop's thread.

    Args:
        clock: Milliseconds since 1970.
    """

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._since = clock()
        self._sessions: OrderedDict[str, Sighting] = OrderedDict()
        self._acks: deque[tuple[str, int, int]] = deque(maxlen=MAX_ACKS)
        self._authors: deque[tuple[str, int, Principal]] = deque(maxlen=MAX_AUTHORS)

    @property
    def since(self) -> int:
        """Return from when on every session is remembered."""
        return self._since

    def came(self, session_id: str, user_id: UserId, cursor: int | None) -> None:
        """Note that a session has begun, with the seq it says to have."""
        if len(self._sessions) >= MAX_SESSIONS:
            _, oldest = self._sessions.popitem(last=False)
            # What it was sent until it left, or is sent still, nobody remembers from here on.
            self._since = max(self._since, self._clock() if oldest.left is None else oldest.left[0] + 1)
        self._sessions[session_id] = Sighting(user_id, self._clock(), cursor)

    def caught_up(self, session_id: str, after: int, head: int) -> None:
        """Note that a session was sent what follows a seq, up to the head, and gets the rest live."""
        sighting = self._sessions.get(session_id)
        if sighting is not None:
            sighting.runs = (*sighting.runs[-(MAX_RUNS - 1) :], (self._clock(), after, head))

    def resynced(self, session_id: str, reason: str) -> None:
        """Note that a session was told to refetch, because its cursor could not be resumed."""
        sighting = self._sessions.get(session_id)
        if sighting is not None:
            sighting.resync = reason

    def acked(self, session_id: str, seq: int) -> None:
        """Note that a session has shown everything up to a seq."""
        self._acks.append((session_id, seq, self._clock()))

    def left(self, session_id: str, head: int, reason: str) -> None:
        """Note that a session has ended, and up to which seq it had been sent."""
        sighting = self._sessions.get(session_id)
        if sighting is not None:
            sighting.left = (self._clock(), head, reason)

    def created(self, notification_id: str, by: Principal) -> None:
        """Note who asked for a notification; once more where the same was asked for again."""
        self._authors.append((notification_id, self._clock(), by))

    # What is asked

    def tell(self, notification_id: str, user_id: UserId, seq: int, head: int) -> dict[str, Any]:
        """
        Return what this node has seen of one notification, the latest sessions first.

        Args:
            notification_id: Which.
            user_id: Whose it is.
            seq: Its place in the stream; 0: it is not known.
            head: How far sessions that are here have been sent.
        """
        mine = [(key, one) for key, one in self._sessions.items() if one.user_id == user_id]
        told = mine[-MAX_TOLD:][::-1]
        acks: dict[str, list[tuple[int, int]]] = {key: [] for key, _ in told}
        for key, acked, at in self._acks:
            if key in acks:
                acks[key].append((acked, at))
        return {
            "since": self._since,
            "sessions": [_session(key, one, acks[key], seq, head) for key, one in told] if seq else [],
            "left_out": len(mine) - len(told),
            "created": list(self._asked_for(notification_id)),
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


def _session(session_id: str, one: Sighting, acks: Sequence[tuple[int, int]], seq: int, head: int) -> dict[str, Any]:
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
        "acked_at": next((at for acked, at in acks if acked >= seq), None),
        "acks": bool(acks),
    }


def _reached(one: Sighting, seq: int, head: int) -> tuple[str, int | None]:
    """
    Return how a seq reached a session, and when where that is known.

    ``had``, ``live``, ``replayed``, ``refetch``, ``before`` (it keeps no cursor and came later), ``left``
    (before it was sent), ``waiting``.
    """
    if one.cursor is not None and one.cursor >= seq and one.resync is None:
        return "had", None
    replayed = _replayed(one.runs, seq)
    if replayed is not None:
        return "replayed", replayed
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
