"""What is kept back, asked for ahead and counted in memory, and when it is not."""

import pytest

from tocsin.adapters.sql.dialects import for_postgres
from tocsin.adapters.sql.postgres_batch import Batch
from tocsin.adapters.sql.postgres_many import insertion, look
from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import Foreseen
from tocsin.domain.stream import StreamEvent, StreamKey

KEY = StreamKey("alice", "/orders")


class Server:
    """Notes what it is sent, and answers with what it is told to."""

    def __init__(self):
        self.sent = []
        self.answers = {}

    def __call__(self, text, values):
        self.sent.append((text, values))
        answer = self.answers.get(text, [])
        return type("Answer", (), {"fetchall": lambda _: answer})()

    def tables(self):
        return [text.split()[2] for text, _ in self.sent]


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def batch(server):
    return Batch(server)


def event(seq):
    return StreamEvent(*KEY, seq, f"e{seq}", "moved", b'{"a": "\\\\"}', 0)


def key(name):
    return {"owner": "shop", "key": name, "fingerprint": b"f", "result": b"1", "created_at": 1}


def test_rows_are_written_together_and_late(server, batch):
    """One statement for those of one table, with the values as the server reads them."""
    batch.keep(SQL.insert_event, [event(1)])
    batch.keep(SQL.insert_event, [event(2)])
    batch.write_before(SQL.find_key)
    assert [] == server.sent

    batch.write_before(SQL.events_after)
    ((text, values),) = server.sent
    assert insertion(SQL.insert_event).text == text
    assert ['{"alice","alice"}', "{1,2}"] == [values[0], values[2]]
    assert rf'"\\x{event(1).payload.hex()}"' == values[5][1:-1].split(",")[0]


def test_one_row_is_written_by_the_statement_for_one(server, batch):
    """Which costs the server half."""
    batch.keep(SQL.save_key, [key("a")])
    batch.write()
    assert [(for_postgres(SQL.save_key), key("a"))] == server.sent


def test_no_statement_has_a_key_twice(server, batch):
    """PostgreSQL would refuse to change a row twice; those of one statement are in ascending order."""
    batch.keep(SQL.save_key, [key("b"), key("a"), key("b")])
    batch.write()
    assert ['{"a","b"}', "b"] == [server.sent[0][1][1], server.sent[1][1]["key"]]


def test_a_counter_is_read_and_written_once(server, batch):
    """Whatever is counted; one that was never written is looked for among those of erased users, and begins at 1."""
    bob = StreamKey("bob", "/orders")
    batch.foresee([Foreseen([bob, KEY]), Foreseen([KEY])])
    (_, asked), (_, grounds) = server.sent
    assert ['{"alice","bob"}', '{"/orders","/orders"}'] == [*asked]
    assert '{"/orders","/orders"}' == grounds[1]

    counted = [batch.counters.count(one, unread) for one, unread in ((KEY, 1), (bob, None), (KEY, -1))]
    batch.write()
    assert [(1, 1), (1, None), (2, 0)] == counted
    assert ['{"alice","bob"}', '{"/orders","/orders"}', "{0,0}", "{2,1}", "{0,NULL}"] == server.sent[2][1]


def test_counters_are_written_before_anybody_looks(server, batch):
    """And read again afterwards: the statement may have changed them."""
    batch.counters.count(KEY, None)
    read = len(server.sent)
    batch.write_before(SQL.head)
    assert read + 1 == len(server.sent)
    batch.counters.count(KEY, None)
    assert 2 * read + 1 == len(server.sent)


def test_an_ack_disturbs_no_counter(server, batch):
    """Whoever shares its transaction need not ask for the counters once more."""
    batch.foresee([Foreseen([KEY])])
    batch.counters.count(KEY, None)
    server.sent.clear()
    batch.write_before(SQL.raise_acked)
    assert (2, None) == batch.counters.count(KEY, None)
    assert [] == server.sent


def test_an_answer_holds_till_its_row_is_written(server, batch):
    """A new row of other values leaves it; nothing that is written to the table by a statement of its own does."""
    wanted = [{"owner": "shop", "key": name} for name in "abc"]
    server.answers[look(SQL.find_key).text] = [(2, b"f", b"2", 7)]

    def found():
        return [batch.looks.rows(SQL.find_key, values) for values in wanted]

    batch.foresee([Foreseen(looks=[(SQL.find_key, values) for values in wanted])])
    assert [[], [[b"f", b"2", 7]], []] == found()

    batch.keep(SQL.save_key, [key("a")])
    assert [None, [[b"f", b"2", 7]], []] == found()

    batch.write_before(SQL.delete_old_keys)
    assert [None, None, None] == found()
