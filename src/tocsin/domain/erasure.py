"""Forgetting a user: what is known of it until it is done."""

from dataclasses import dataclass
from typing import Any, Literal

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
    if "actors" in value and any(is_user(one.get("id"), user_id) for one in value["actors"] if isinstance(one, dict)):
        return True
    return any((_is_id(name) and is_user(one, user_id)) or names_user(one, user_id) for name, one in value.items())


def scrubbed(value: Any, wanted: Erasure) -> Any:
    """
    Return JSON of the server's own with the alias for the user's id, and without what was for the user.

    A back end's ``data`` and ``params`` for others stay as they are.
    """
    if isinstance(value, list):
        return [wanted.alias if one == wanted.user_id else scrubbed(one, wanted) for one in value]
    if not isinstance(value, dict):
        return value
    told = {name: _scrubbed_field(name, one, wanted) for name, one in value.items()}
    if is_user(value.get("user_id"), wanted.user_id):
        told |= {name: type(told[name])() for name in _OWN_WORDS if told.get(name) is not None}
    if is_user(value.get("actor_id"), wanted.user_id):
        told["actor_name"] = None
    return told


_OWN_WORDS = ("title", "message", "data", "params", "payload")


def _scrubbed_field(name: str, value: Any, wanted: Erasure) -> Any:
    if name in {"data", "params"}:
        return value
    return wanted.alias if _is_id(name) and is_user(value, wanted.user_id) else scrubbed(value, wanted)


def _is_id(name: str) -> bool:
    return name == "claimed_by" or name.endswith(("user_id", "actor_id", "peer_id"))


def is_user(value: Any, user_id: UserId) -> bool:
    """Return whether a value of JSON is this user's id, in either of its forms."""
    return not isinstance(value, bool) and value in (user_id, user_id_json(user_id))
