"""Forgetting a user: what is known of it until it is done."""

from dataclasses import dataclass
from typing import Any, Literal

import orjson

from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import UserId, user_id_json

State = Literal["erasing", "settling"]

# What was on its way when the rows went (a push under way, an answer, the time a socket was cut) has arrived by then.
SETTLE_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """
    A user who is being erased; instants are milliseconds since 1970.

    Attributes:
        alias: Stands for the user in what other users keep, such as messages of a conversation.
        state: ``erasing``, or ``settling``: all was erased, a last look follows.
        due_at: When somebody has to go on with it.
        done: Rows deleted or changed so far.
    """

    user_id: UserId
    alias: UserId
    state: State
    requested_at: int
    due_at: int
    done: int

    def json(self) -> dict[str, Any]:
        """Return the JSON object of REST answers."""
        return {
            "user_id": user_id_json(self.user_id),
            "state": self.state,
            "requested_at": iso(self.requested_at),
            "rows": self.done,
        }


def names_user(value: Any, user_id: UserId) -> bool:
    """Return whether JSON that goes to others names a user; of a number a field that holds an id alone does."""
    if isinstance(value, list):
        return any(names_user(one, user_id) for one in value)
    if not isinstance(value, dict):
        return bool(value == user_id)
    actors = value.get("actors")  # of a back end's own it may be anything
    if isinstance(actors, list) and any(is_user(one.get("id"), user_id) for one in actors if isinstance(one, dict)):
        return True
    return any((_is_id(name) and is_user(one, user_id)) or names_user(one, user_id) for name, one in value.items())


def scrubbed(value: Any, wanted: Erasure, *, is_own: bool = False) -> Any:
    """
    Return JSON of the server's own with the alias for the user's id, and without what was for the user.

    What several got at once, the user among them, loses its words for all of them. A back end's ``data`` and
    ``params`` for others stay as they are; an event (``payload``) that names the user does not.

    Args:
        value: A draft, or what an idempotency key keeps.
        wanted: Who is erased.
        is_own: It stands in something that was for the user.
    """
    if isinstance(value, list):
        return [wanted.alias if one == wanted.user_id else scrubbed(one, wanted, is_own=is_own) for one in value]
    if not isinstance(value, dict):
        return value
    is_own = is_own or _is_for(value, wanted.user_id)
    told = {name: _scrubbed_field(name, one, wanted, is_own=is_own) for name, one in value.items()}
    if is_user(value.get("actor_id"), wanted.user_id):
        told["actor_name"] = None
    return told


# What takes the place of the words that the user was told.
_NO_WORDS = {"title": "", "message": "", "name": "", "data": {}, "params": {}, "payload": "{}", "group_actors": []}


def _is_for(value: dict[str, Any], user_id: UserId) -> bool:
    # Of several at once what they have in common is said once: see ``many_to_json`` and ``events_to_json``.
    each = [value, value.get("common", {}), *value.get("rows", ())]
    users = [one.get("user_id") for one in each] + [one[0] for one in value.get("each", ())]
    return any(is_user(one, user_id) for one in users)


def _scrubbed_field(name: str, value: Any, wanted: Erasure, *, is_own: bool) -> Any:
    if is_own and value is not None and name in _NO_WORDS:
        return _NO_WORDS[name]
    if name in {"data", "params"}:
        return value
    if name == "payload":
        return _NO_WORDS[name] if names_user(orjson.loads(value), wanted.user_id) else value
    if name == "group_actors" and value is not None:
        return without_actor(value, wanted.user_id)
    return wanted.alias if _is_id(name) and is_user(value, wanted.user_id) else scrubbed(value, wanted, is_own=is_own)


def without_actor(actors: list[dict[str, Any]], user_id: UserId) -> list[dict[str, Any]]:
    """Return those whom a grouped card names without this one; who was counted stays counted."""
    return [one for one in actors if not is_user(one.get("id"), user_id)]


def _is_id(name: str) -> bool:
    return name == "claimed_by" or name.endswith(("user_id", "actor_id", "peer_id"))


def is_user(value: Any, user_id: UserId) -> bool:
    """Return whether a value of JSON is this user's id, in either of its forms."""
    return not isinstance(value, bool) and value in (user_id, user_id_json(user_id))
