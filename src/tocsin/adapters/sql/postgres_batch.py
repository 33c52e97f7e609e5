"""
A transaction of PostgreSQL as a few statements, however many operations share it.

New rows are kept and written together; counters of streams are raised in
memory and written once; what is known to be asked for is asked for together.
Nobody sees the difference: before a statement touches a table, what is kept of
it is written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from tocsin.adapters.sql.dialects import for_postgres, tables_of
from tocsin.adapters.sql.postgres_many import ManyLooks, ManyRows, columns, insertion, look
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import Foreseen, Look, Values
from tocsin.domain.stream import StreamKey, ground_of

_STREAM = "tocsin_stream"
# It changes no counter, and a seq that is given out only now nobody has acked.
_BESIDE_COUNTERS = SQL.raise_acked
# More rows a statement are no faster, and would be held twice in memory.
_MOST_ROWS = 1_000
_KEY_TYPES = ("VARCHAR", "VARCHAR")

# In ascending order, as everybody takes the locks of several rows.
_COUNTERS = (
    "SELECT user_id, namespace, seq, unread FROM tocsin_stream WHERE (user_id, namespace) IN"
    " (SELECT * FROM unnest(%s::text[], %s::text[])) ORDER BY user_id, namespace FOR UPDATE"
)
_GROUNDS = (
    "SELECT user_id, namespace, seq FROM tocsin_stream WHERE (user_id, namespace) IN"
    " (SELECT * FROM unnest(%s::text[], %s::text[]))"
)
_COUNTED = (
    "INSERT INTO tocsin_stream (user_id, namespace, seq, pruned, acked, unread)"
    " SELECT user_id, namespace, seq, ground, 0, unread"
    " FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])"
    " AS counted (user_id, namespace, ground, seq, unread)"
    " ON CONFLICT (user_id, namespace) DO UPDATE SET seq = excluded.seq, unread = excluded.unread,"
    " pruned = greatest(tocsin_stream.pruned, excluded.pruned)"
)


class Answer(Protocol):
    """What came back of a query; ``fetchall`` waits for it."""

    def fetchall(self) -> list[Any]:
        """Return the rows."""


Send = Callable[[str, Values], Answer]


class KeptRows:
    """New rows that are not written yet, by the statement that inserts them."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._kept: dict[str, list[Sequence[Any]]] = {}
        self._keys: dict[str, set[tuple[Any, ...]]] = {}

    def keep(self, statement: str, many: ManyRows, rows: Iterable[Sequence[Any]]) -> None:
        """Keep rows; a second one of a key comes after the first, in another statement."""
        kept = self._kept.setdefault(statement, [])
        for row in rows:
            if many.key:
                keys = self._keys.setdefault(statement, set())
                key = tuple(row[place] for place in many.key)
                if key in keys:
                    self._write(statement)
                keys.add(key)
            kept.append(row)
        if len(kept) >= _MOST_ROWS:
            self._write(statement)

    def write(self, tables: frozenset[str] | None = None) -> None:
        """Write what is kept of some tables, or of all."""
        for statement in [one for one in self._kept if tables is None or tables & tables_of(one)]:
            self._write(statement)

    def _write(self, statement: str) -> None:
        rows, many = self._kept[statement], insertion(statement)
        if not rows:
            return
        assert many is not None
        if many.key:
            rows.sort(key=lambda row: [row[place] for place in many.key])
            self._keys[statement].clear()
        if len(rows) == 1:  # twice as fast for the server
            self._send(for_postgres(statement), many.values(rows[0]))
        else:
            self._send(many.text, columns(many.types, rows))
        rows.clear()

    def forget(self) -> None:
        """Give up what is kept."""
        self._kept.clear()
        self._keys.clear()


class Counters:
    """
    The counters of streams, raised in memory.

    Where another transaction raises one meanwhile, the write fails as a
    conflict, and all is undone: no seq is given out twice.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._known: dict[StreamKey, tuple[int, int | None] | None] = {}
        self._raised: set[StreamKey] = set()
        # Of streams that nobody has written yet; see ``ground_of``.
        self._grounds: dict[StreamKey, int] = {}

    def ask(self, keys: Iterable[StreamKey]) -> Callable[[], None]:
        """Ask for what is not known yet, and lock it; return what waits for the answer."""
        wanted = sorted({key for key in keys if key not in self._known})
        if not wanted:
            return lambda: None
        answer = self._send(_COUNTERS, columns(_KEY_TYPES, wanted))

        def take() -> None:
            self._known |= dict.fromkeys(wanted)
            self._known |= {
                StreamKey(user_id, space): (seq, unread) for user_id, space, seq, unread in answer.fetchall()
            }
            self._ask_grounds([key for key in wanted if not (self._known[key] or (0,))[0]])

        return take

    def _ask_grounds(self, unwritten: Iterable[StreamKey]) -> None:
        places = {key: ground_of(key) for key in unwritten}
        if places:
            answer = self._send(_GROUNDS, columns(_KEY_TYPES, sorted({*places.values()})))
            found = {StreamKey(user_id, space): seq for user_id, space, seq in answer.fetchall()}
            self._grounds |= {key: found[place] for key, place in places.items() if place in found}

    def count(self, key: StreamKey, unread: int | None) -> tuple[int, int | None]:
        """Return the next seq, and how many are unread as of it."""
        if key not in self._known:
            self.ask([key])()
        before, ground = self._known[key], self._grounds.get(key, 0)
        if before is None:
            after = (ground + 1, unread)
        else:
            seq, total = before
            after = ((seq or ground) + 1, None if total is None or unread is None else total + unread)
        self._known[key] = after
        self._raised.add(key)
        return after

    def write(self) -> None:
        """Write what was raised, in ascending order; what is in the table then may be changed by others."""
        if self._raised:
            rows = [(*key, self._grounds.get(key, 0), *(self._known[key] or ())) for key in sorted(self._raised)]
            self._send(_COUNTED, columns((*_KEY_TYPES, "BIGINT", "BIGINT", "BIGINT"), rows))
        self.forget()

    def forget(self) -> None:
        """Know nothing any more."""
        self._known.clear()
        self._raised.clear()
        self._grounds.clear()


class Looks:
    """Answers to queries that were foreseen, till something is written that would make them others."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._found: dict[str, dict[tuple[Any, ...], list[Any]]] = {}

    def ask(self, looks: Iterable[Look]) -> Callable[[], None]:
        """Send the queries; return what waits for their answers."""
        asked: dict[str, dict[tuple[Any, ...], list[Any]]] = {}
        for statement, values in looks:
            asked.setdefault(statement, {})[_values(look(statement), values)] = []
        takes = [self._ask(statement, found) for statement, found in asked.items()]

        def take() -> None:
            for one in takes:
                one()

        return take

    def _ask(self, statement: str, found: dict[tuple[Any, ...], list[Any]]) -> Callable[[], None]:
        many, wanted = look(statement), [*found]
        if len(wanted) == 1:  # the cheaper for the server
            answer = self._send(for_postgres(statement), dict(zip(many.names, wanted[0], strict=True)))
        else:
            answer = self._send(many.text, columns(many.types, wanted))

        def take() -> None:
            lists = [*found.values()]
            if len(wanted) == 1:
                lists[0] += answer.fetchall()
            else:
                for place, *row in answer.fetchall():
                    lists[place - 1].append(row)
            self._found.setdefault(statement, {}).update(found)

        return take

    def rows(self, statement: str, values: Values) -> list[Any] | None:
        """Return the rows of a query that was foreseen, or None."""
        found = self._found.get(statement)
        return None if not found else found.get(_values(look(statement), values))

    def meet(self, many: ManyRows, rows: Iterable[Sequence[Any]]) -> None:
        """Give up the answers that new rows belong to: those whose values are the rows' own."""
        for statement, found in self._found.items():
            if many.table in tables_of(statement):
                if not many.columns.keys() >= {*look(statement).names}:
                    found.clear()
                places = [many.columns.get(name, 0) for name in look(statement).names]
                for row in rows:
                    found.pop(tuple([row[place] for place in places]), None)

    def forget(self, tables: frozenset[str] | None = None) -> None:
        """Give up what was found in some tables, or all."""
        for statement in [one for one in self._found if tables is None or tables & tables_of(one)]:
            del self._found[statement]


def _values(many: ManyLooks, values: Values) -> tuple[Any, ...]:
    return tuple([values[name] for name in many.names]) if isinstance(values, Mapping) else ()


class Batch:
    """All three, of one transaction after the other."""

    def __init__(self, send: Send) -> None:
        self.rows = KeptRows(send)
        self.counters = Counters(send)
        self.looks = Looks(send)

    def foresee(self, foreseen: Sequence[Foreseen]) -> None:
        """Ask for all that some operations will need, in one trip."""
        for statement in {statement for one in foreseen for statement, _ in one.looks}:
            self.write_before(statement)
        takes = (
            self.counters.ask(key for one in foreseen for key in one.streams),
            self.looks.ask([look for one in foreseen for look in one.looks]),
        )
        for take in takes:
            take()

    def keep(self, statement: str, values: Sequence[Values]) -> bool:
        """Keep new rows, to be written with those of others; return whether these can be."""
        many = insertion(statement)
        if many is None:
            return False
        rows = [many.row(one) for one in values]
        self.rows.keep(statement, many, rows)
        self.looks.meet(many, rows)
        return True

    def write_before(self, statement: str) -> None:
        """Write what a statement must find; what is foreseen of a table that it changes is foreseen no more."""
        tables = tables_of(statement)
        self.rows.write(tables)
        if _STREAM in tables and statement != _BESIDE_COUNTERS:
            self.counters.write()
        if not statement.startswith("SELECT"):
            self.looks.forget(tables)

    def write(self) -> None:
        """Write all that is kept."""
        self.rows.write()
        self.counters.write()

    def forget(self) -> None:
        """Begin anew."""
        self.rows.forget()
        self.counters.forget()
        self.looks.forget()
