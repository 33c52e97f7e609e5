"""
What producers and clients write down while faults happen, one JSON object a line.

The journals are the only evidence that the checker reads; nobody writes one
for the server.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson


class Sent(NamedTuple):
    """A producer is about to post this, for the first time."""

    key: str
    user: str


class Acked(NamedTuple):
    """The server said that it is committed, under this id."""

    key: str
    user: str
    id: str


class Shown(NamedTuple):
    """A client's cursor logic passed this event on to its user."""

    epoch: str
    seq: int
    id: str
    key: str


Entry = Sent | Acked | Shown
_KINDS: dict[str, type[Sent] | type[Acked] | type[Shown]] = {"sent": Sent, "acked": Acked, "shown": Shown}
_NAMES = {kind: name for name, kind in _KINDS.items()}


class Journal:
    """
    An append-only file of entries; belongs to one thread.

    Args:
        path: A producer's is named ``producer-*.jsonl``, a client's
            ``client-<user>-*.jsonl``.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, entry: Entry) -> None:
        """Append an entry, before what it tells of goes on."""
        self._file.write(orjson.dumps({"kind": _NAMES[type(entry)], **entry._asdict()}) + b"\n")

    def close(self) -> None:
        """Write what is buffered and close the file."""
        self._file.close()


def read_journal(path: Path) -> Iterator[Entry]:
    """Yield the entries of a file in the order of writing."""
    with path.open("rb") as lines:
        for line in lines:
            fields: dict[str, Any] = orjson.loads(line)
            yield _KINDS[fields.pop("kind")](**fields)
