"""One notification to all who follow a topic, or to a long list of users: how far it is."""

from dataclasses import dataclass
from typing import Any, Literal

from tocsin.domain.timestamp import iso, iso_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOutJob:
    """
    A fan-out that may still run; instants are milliseconds since 1970.

    Attributes:
        topic: Empty: it is of a list.
        total: Users when it began; when it is done, those who got it.
        done: How many have it.
    """

    id: str
    topic: str
    state: Literal["running", "done"]
    total: int
    done: int
    created_at: int
    finished_at: int | None = None

    def json(self) -> dict[str, Any]:
        """Return the JSON object of REST answers."""
        return {
            "id": self.id,
            "topic": self.topic or None,
            "state": self.state,
            "total": self.total,
            "done": self.done,
            "created_at": iso(self.created_at),
            "finished_at": iso_or_none(self.finished_at),
        }
