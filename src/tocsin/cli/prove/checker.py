"""
Reads journals and counts what must not happen (delivery contract, "The proof").

Pure: it knows journals and no server, so that bad journals can test it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tocsin.cli.prove.journal import Acked, Entry, Sent, Shown, read_journal

MAX_EXAMPLES = 5


@dataclass(slots=True)
class Count:
    """How often a promise was broken, with the first few cases in words."""

    number: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, example: str) -> None:
        """Count one case."""
        self.number += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(example)


@dataclass(slots=True)
class Verdict:
    """
    The four counts; all are 0 when the promise was kept.

    Attributes:
        lost: Acknowledged to a producer, and a client of the user never showed it.
        twice: A client showed one post, or one place of the log, again.
        misordered: A client showed a seq that is not the successor of the one
            before, or under a seq another event than the user's other clients.
        phantom: A client showed what nobody posted to its user, or under an id
            that is not the acknowledged one.
        acked: Posts acknowledged, to see that there was something to lose.
        shown: Events shown by all clients together.
    """

    lost: Count = field(default_factory=Count)
    twice: Count = field(default_factory=Count)
    misordered: Count = field(default_factory=Count)
    phantom: Count = field(default_factory=Count)
    acked: int = 0
    shown: int = 0

    @property
    def is_kept(self) -> bool:
        """Return whether all four counts are 0."""
        return not any(count.number for _, count in self.counts())

    def counts(self) -> Iterable[tuple[str, Count]]:
        """Yield the four counts with their names."""
        yield "acknowledged but lost", self.lost
        yield "shown twice", self.twice
        yield "out of order", self.misordered
        yield "phantom", self.phantom


def check(producers: Iterable[Entry], clients: Mapping[str, tuple[str, Sequence[Shown]]]) -> Verdict:
    """
    Judge the journals of one run.

    Args:
        producers: What all producers wrote, in any order between producers.
        clients: By name of the client: its user, and what it showed, in order.
            Each was to show everything acknowledged for its user.
    """
    sent: dict[str, str] = {}
    acked: dict[str, Acked] = {}
    verdict = Verdict()
    for entry in producers:
        if isinstance(entry, Sent):
            sent[entry.key] = entry.user
        elif isinstance(entry, Acked):
            earlier = acked.setdefault(entry.key, entry)
            if earlier.id != entry.id:
                verdict.phantom.add(f"{entry.key} was acknowledged as {earlier.id} and as {entry.id}")
    verdict.acked = len(acked)
    log: dict[tuple[str, str, int], str] = {}
    for name, (user, shown) in clients.items():
        verdict.shown += len(shown)
        _check_order(verdict, name, shown)
        for event in shown:
            if (other := log.setdefault((user, event.epoch, event.seq), event.id)) != event.id:
                verdict.misordered.add(f"{name} showed {event.id} as seq {event.seq}, another client {other}")
        _check_origin(verdict, name, shown, {key: to for key, to in sent.items() if to == user}, acked)
        keys = {event.key for event in shown}
        for key, ack in acked.items():
            if ack.user == user and key not in keys:
                verdict.lost.add(f"{name} never showed {key} ({ack.id})")
    return verdict


def _check_order(verdict: Verdict, name: str, shown: Sequence[Shown]) -> None:
    keys: set[str] = set()
    places: set[tuple[str, int]] = set()
    last: Shown | None = None
    for event in shown:
        if event.key in keys or (event.epoch, event.seq) in places:
            verdict.twice.add(f"{name} showed {event.key} again, as seq {event.seq}")
        elif last is not None and last.epoch == event.epoch and event.seq != last.seq + 1:
            verdict.misordered.add(f"{name} showed seq {event.seq} after {last.seq}")
        keys.add(event.key)
        places.add((event.epoch, event.seq))
        last = event


def _check_origin(
    verdict: Verdict, name: str, shown: Sequence[Shown], sent: Mapping[str, str], acked: Mapping[str, Acked]
) -> None:
    for event in shown:
        if event.key not in sent:
            verdict.phantom.add(f"{name} showed {event.key}, which nobody sent to its user")
        elif event.key in acked and acked[event.key].id != event.id:
            verdict.phantom.add(f"{name} showed {event.key} as {event.id}, acknowledged was {acked[event.key].id}")


def check_folder(folder: Path) -> Verdict:
    """Judge the journals of a folder, as the harness names them."""
    producers = [entry for path in sorted(folder.glob("producer-*.jsonl")) for entry in read_journal(path)]
    clients = {}
    for path in sorted(folder.glob("client-*.jsonl")):
        shown = [entry for entry in read_journal(path) if isinstance(entry, Shown)]
        clients[path.stem] = (path.stem.split("-")[1], shown)
    return check(producers, clients)
