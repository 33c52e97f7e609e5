"""
What the dashboard shows and does, over all nodes: figures, sessions, one user, a test notification.

Whether the caller may is decided at the edge. No token, endpoint, URL or text of a message is in any answer.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from tocsin.application.nodes import Nodes
from tocsin.application.notifications import Notifications
from tocsin.application.ports import Store
from tocsin.application.presence import Presence
from tocsin.domain.errors import NotFound
from tocsin.domain.events import NAMESPACES
from tocsin.domain.notification import Notification, NotificationDraft
from tocsin.domain.stream import Head, StreamEvent, StreamKey
from tocsin.domain.timestamp import is_instant, iso, now_ms
from tocsin.domain.user_id import UserId, user_id_json

MAX_PAGE = 200
RECENT = 10
MAX_ANSWER = MAX_PAGE + 1


@dataclass(frozen=True, slots=True)
class SessionPage:
    """A page of sessions of all nodes; ``next_after`` is where the next one begins, None at the end."""

    sessions: Sequence[Mapping[str, Any]]
    next_after: tuple[str, str] | None


class Admin:
    """
    Use-cases of the dashboard. Belongs to the event loop's thread.

    Args:
        nodes: Asks every node.
        store: What is kept of users.
        notifications: Makes the test notification.
        presence: Knows who is there.
    """

    def __init__(
        self,
        nodes: Nodes,
        store: Store,
        notifications: Notifications,
        presence: Presence,
    ) -> None:
        self._nodes = nodes
        self._store = store
        self._notifications = notifications
        self._presence = presence

    async def overview(self) -> dict[str, Any]:
        """Return the figures of every node, counted since its start: rates are the reader's to compute."""
        answers = await self._nodes.ask("figures")
        nodes = [{"name": name, **told} for name, told in answers.items() if isinstance(told, dict)]
        return {"at": iso(now_ms()), "answered_by": self._nodes.name, "nodes": nodes}

    async def sessions(self, find: str = "", after: tuple[str, str] = ("", ""), limit: int = 50) -> SessionPage:
        """
        Return a page of the connections of all nodes, by user id.

        Args:
            find: Stands somewhere in the user id.
            after: Where the page before ended.
            limit: 1 to 200.
        """
        answers = await self._nodes.ask("sessions", {"find": find, "after": list(after), "limit": limit + 1})
        told = {name: _session_rows(answer) for name, answer in answers.items()}
        found = [{**row, "node": name} for name, rows in told.items() for row in rows]
        found.sort(key=_place)
        # Beyond where a node's answer was full it may have what comes before another's: that is for the next page.
        full = [_place(rows[-1]) for name, rows in told.items() if rows and _is_full(answers[name])]
        known = [row for row in found if _place(row) <= min(full)] if full else found
        shown = known[:limit]
        last = _place(shown[-1]) if full or len(known) > limit else None
        return SessionPage([_told(row) for row in shown], last)

    async def cut(self, user_id: UserId, session_id: str) -> None:
        """
        Close one session, on whichever node it is; its client comes back by itself.

        Raises:
            NotFound: The user has no such session now.
        """
        answers = await self._nodes.ask("cut", {"user_id": user_id, "session_id": session_id})
        if True not in answers.values():
            raise NotFound("the user has no such session now")

    async def user(self, user_id: UserId) -> dict[str, Any]:
        """Return what is known of one user: presence, sessions, devices, inbox, streams and their last events."""
        keys = [StreamKey(user_id, namespace) for namespace in NAMESPACES]
        sessions, heads, stats, seen = await asyncio.gather(
            self.sessions_of(user_id),
            self._store.heads(keys),
            self._notifications.stats(user_id),
            self._presence.seen([user_id]),
        )
        devices, browsers, topics = await asyncio.gather(
            self._store.list_devices(user_id), self._store.list_web_push(user_id), self._store.list_topics(user_id)
        )
        streams = [await self._stream(key, head) for key, head in zip(keys, heads, strict=True)]
        return {
            "user_id": user_id_json(user_id),
            "is_online": seen[0].is_online,
            "last_seen_at": seen[0].json()["last_seen_at"],
            "inbox": {
                "unread": stats.unread,
                "unseen": stats.unseen,
                "total": stats.total,
                "by_category": stats.by_category,
            },
            "devices": [device.json() for device in devices],
            "browsers": [{**browser.json(), "host": browser.host} for browser in browsers],
            "topics": topics,
            **sessions,
            "epoch": self._store.epoch,
            "streams": streams,
        }

    async def sessions_of(self, user_id: UserId) -> dict[str, Any]:
        """Return the first sessions of a user on every node, and whether there are more."""
        answers = await self._nodes.ask("sessions_of", {"user_id": user_id})
        return {
            "sessions": [_told({**row, "node": name}) for name, told in answers.items() for row in _session_rows(told)],
            "has_more_sessions": any(map(_is_full, answers.values())),
        }

    async def _stream(self, key: StreamKey, head: Head) -> dict[str, Any]:
        events: list[StreamEvent] = []
        if head.seq > head.pruned:
            events = (await self._store.read_stream(key, max(head.seq - RECENT, head.pruned), RECENT)).events
        return {
            "namespace": key.namespace,
            "seq": head.seq,
            "acked": head.acked,
            "pruned": head.pruned,
            "events": [_event(event) for event in reversed(events)],
        }

    async def send_test(self, user_id: UserId, title: str, message: str) -> Notification:
        """
        Send a notification of the type ``test``, as any other one goes.

        Raises:
            Invalid: The title or the message breaks a rule.
        """
        return await self._notifications.create(
            NotificationDraft(user_id=user_id, type="test", title=title, message=message)
        )


def _event(event: StreamEvent) -> dict[str, Any]:
    """Return an event without its content."""
    about = orjson.loads(event.payload).get("id")
    return {
        "seq": event.seq,
        "event": event.event,
        "created_at": iso(event.created_at),
        "about": about if isinstance(about, str) else None,
    }


def _session_rows(told: Any) -> list[dict[str, Any]]:
    """Return the sessions that a node told; what is none is passed over."""
    rows = told if isinstance(told, list) else []
    return [row for row in rows[:MAX_ANSWER] if _is_session(row)]


def _is_full(told: Any) -> bool:
    """Return whether a node had more to tell."""
    return isinstance(told, list) and (told[-1:] == [None] or len(told) >= MAX_ANSWER)


def _place(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["user_id"]), row["id"]


def _is_session(row: Any) -> bool:
    match row:
        case {
            "id": str(),
            "user_id": int() | str(),
            "transport": str(),
            "address": address,
            "since": since,
            "expires_at": expires_at,
            "queued_bytes": int(),
            "sockets": dict(sockets),
        }:
            texts = all(isinstance(one, str) for pair in sockets.items() for one in pair)
            instants = is_instant(since) and is_instant(expires_at)
            return texts and instants and (address is None or isinstance(address, str))
    return False


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "since": iso(row["since"]), "expires_at": iso(row["expires_at"])}
