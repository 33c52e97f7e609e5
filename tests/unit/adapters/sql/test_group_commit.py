"""The group commit: one transaction for all that waits, and nobody harms another."""

import asyncio
import sqlite3
import sys
import threading

import pytest

from tocsin.adapters.sql import group_commit, readers, waiting
from tocsin.adapters.sql.connection import open_writer
from tocsin.adapters.sql.writing import SqliteWriting
from tocsin.domain.errors import NotFound, Overloaded


async def test_what_waits_shares_one_transaction(writer, insert):
    """Operations that queue behind a slow one are committed together, in the order of arrival."""
    writers = [asyncio.ensure_future(writer.group.run(insert(n))) for n in range(50)]

    assert list(range(50)) == await asyncio.gather(*writers)

    assert list(range(50)) == writer.rows()
    assert writer.count("COMMIT") < 50
    assert list(range(50)) == writer.heard()


async def test_a_batch_is_told_in_one_call(writer, held, insert):
    """The readers are called once a transaction, with the events of all its operations."""
    writers = [asyncio.ensure_future(writer.group.run(insert(n))) for n in range(10)]
    await asyncio.sleep(0)
    held.go_on.set()
    await asyncio.gather(*writers)

    assert [list(range(10))] == writer.told


async def test_the_loop_is_woken_once_a_batch(writer, held, insert, monkeypatch):
    """Results and events of a transaction cross to the loop together."""
    woken = []
    loop = asyncio.get_running_loop()
    call = loop.call_soon_threadsafe
    monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *args: (woken.append(args), call(*args)))
    writers = [asyncio.ensure_future(writer.group.run(insert(n))) for n in range(10)]
    await asyncio.sleep(0)

    held.go_on.set()
    await asyncio.gather(*writers)

    assert 1 == len(woken)


async def test_a_refusal_disturbs_nobody(writer, held, insert):
    """The refused caller gets its error, the others in the transaction their results."""

    def refuse(_transaction):
        raise NotFound("nothing here")

    writers = [asyncio.ensure_future(writer.group.run(one)) for one in (insert(1), refuse, insert(2))]
    await asyncio.sleep(0)
    held.go_on.set()
    first, refused, second = await asyncio.gather(*writers, return_exceptions=True)

    assert (1, 2) == (first, second)
    assert isinstance(refused, NotFound)
    assert 1 == writer.count("COMMIT") == len(writer.told)


@pytest.mark.parametrize("error", [ZeroDivisionError(), NotFound("after a write"), MemoryError()])
async def test_a_failure_leaves_nothing_and_disturbs_nobody(writer, held, insert, error):
    """An operation that fails after it wrote is undone alone; the others are on disk and told once."""

    def fail(transaction):
        insert(99)(transaction)
        raise error

    writers = [asyncio.ensure_future(writer.group.run(one)) for one in (insert(1), fail, insert(2))]
    await asyncio.sleep(0)
    held.go_on.set()
    first, failed, second = await asyncio.gather(*writers, return_exceptions=True)

    assert (1, 2) == (first, second)
    assert error is failed
    assert [1, 2] == writer.rows() == writer.heard()


async def test_a_cancelled_caller_takes_nothing_back(writer, held, insert):
    """An accepted operation is carried out and told of."""
    caller = asyncio.ensure_future(writer.group.run(insert(1)))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    held.go_on.set()

    assert 2 == await writer.group.run(insert(2))
    assert [1, 2] == writer.rows() == writer.heard()


async def test_readers_hear_before_any_writer_goes_on(writer, held, insert):
    """No caller of a transaction goes on before its events were passed on."""
    order = []

    async def write(n):
        await writer.group.run(insert(n))
        order.append((n, len(writer.told)))

    writers = [asyncio.ensure_future(write(n)) for n in range(3)]
    await asyncio.sleep(0)
    held.go_on.set()
    await asyncio.gather(*writers)

    assert [(0, 1), (1, 1), (2, 1)] == order


async def test_a_failing_reader_keeps_no_answer_back(tmp_path, insert, caplog):
    """The write is committed and its caller hears so, whatever ``on_commit`` does; the fault is logged."""

    def fail(_events):
        raise ZeroDivisionError

    path = str(tmp_path / "own.db")
    connection = open_writer(path)
    connection.execute("CREATE TABLE t (n INTEGER)")
    group = group_commit.GroupCommit(SqliteWriting(connection, path), fail, lambda: 7, group_commit.Failpoints())
    try:
        assert 1 == await group.run(insert(1))
    finally:
        await group.stop()
        connection.close()
    assert "ZeroDivisionError" in caplog.text


async def test_a_full_intake_refuses_and_recovers(writer, held, insert, monkeypatch):
    """Above its number of waiting writes it accepts none; what it had accepted is carried out."""
    monkeypatch.setattr(group_commit, "MAX_WAITING", 4)
    writers = [asyncio.ensure_future(writer.group.run(insert(n))) for n in range(3)]
    await asyncio.sleep(0)

    with pytest.raises(Overloaded) as refused:
        await writer.group.run(insert(99))

    assert refused.value.retry_after_s is not None
    held.go_on.set()
    await asyncio.gather(*writers)
    assert 3 == await writer.group.run(insert(3))
    assert [0, 1, 2, 3] == writer.rows()


async def test_the_intake_is_bounded_in_bytes(writer, held, insert, monkeypatch):
    """Waiting writes may hold so many bytes together; one alone may be larger."""
    monkeypatch.setattr(group_commit, "MAX_WAITING_BYTES", 100)
    fits = asyncio.ensure_future(writer.group.run(insert(1), size=100))
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await writer.group.run(insert(99), size=1)

    held.go_on.set()
    await fits
    assert 2 == await writer.group.run(insert(2), size=1_000)


async def test_stopping_carries_out_what_was_accepted(writer, held, insert):
    """After ``stop`` began nothing is accepted; what was, is committed before it returns."""
    accepted = asyncio.ensure_future(writer.group.run(insert(1)))
    await asyncio.sleep(0)
    stopping = asyncio.ensure_future(writer.group.stop())
    await asyncio.sleep(0)

    with pytest.raises(Overloaded):
        await writer.group.run(insert(99))

    held.go_on.set()
    await stopping
    assert accepted.done()
    assert [1] == writer.rows()


async def test_a_locked_database_refuses_all_that_wait_and_recovers(writer, tmp_path, insert):
    """When another process keeps the lock, waiting writers are told so together; later ones pass."""
    writer.connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "t.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    refused = await asyncio.gather(*[writer.group.run(insert(n)) for n in range(5)], return_exceptions=True)

    assert [Overloaded] * 5 == [type(one) for one in refused]
    other.execute("COMMIT")
    other.close()
    assert 7 == await writer.group.run(insert(7))
    assert [7] == writer.rows()


async def test_the_interpreter_hands_over_in_time(writer):
    """The switch interval is short, or a busy loop would starve the writer."""
    assert sys.getswitchinterval() <= 0.0001


async def test_a_large_write_ends_its_transaction(writer, held, insert, monkeypatch):
    """After so many changes a transaction takes no more, so that its callers wait for nobody else."""
    monkeypatch.setattr(group_commit, "_MAX_CHANGES", 3)
    writers = [asyncio.ensure_future(writer.group.run(insert(n))) for n in range(7)]
    await asyncio.sleep(0)
    held.go_on.set()
    await asyncio.gather(*writers)

    assert list(range(7)) == writer.rows() == writer.heard()
    assert max(len(batch) for batch in writer.told) <= 3


async def test_who_waits_for_a_database_that_hangs_is_told_in_time(writer, insert, monkeypatch):
    """
    The callers are refused in their order; what they asked for is carried out and told when it goes on.

    A repetition that came later waits for its own answer.
    """
    monkeypatch.setattr(waiting, "ANSWER_S", 0.1)
    monkeypatch.setattr(waiting, "_LOOK_S", 0.02)
    go_on = threading.Event()
    operations = [lambda _: go_on.wait(20), *(insert(n) for n in range(3))]
    writers = [asyncio.ensure_future(writer.group.run(operation)) for operation in operations]
    answers = await asyncio.gather(*writers, return_exceptions=True)
    monkeypatch.setattr(waiting, "ANSWER_S", 20.0)
    later = asyncio.ensure_future(writer.group.run(insert(3)))
    await asyncio.sleep(0.1)
    assert not later.done()
    go_on.set()

    assert 3 == await later
    assert ["the database does not answer"] * 4 == [answer.detail for answer in answers]
    assert {Overloaded} == {type(answer) for answer in answers}
    assert [0, 1, 2, 3] == writer.rows() == writer.heard()
    assert 4 == await writer.group.run(insert(4))


async def test_who_waits_for_a_reader_that_hangs_is_told_in_time(monkeypatch):
    """A query that hangs keeps its thread; one that has not begun never runs; then all goes on."""
    monkeypatch.setattr(readers, "ANSWER_S", 0.1)
    go_on, asked = threading.Event(), []

    class Connection:
        def close(self):
            pass

    def query(number):
        def run(_connection):
            asked.append(number)
            assert go_on.wait(20)
            return number

        return run

    pool = readers.Readers(Connection, lambda _: None)
    try:
        answers = await asyncio.gather(*(pool.run(query(n)) for n in range(6)), return_exceptions=True)
        go_on.set()
        assert 7 == await pool.run(query(7))
    finally:
        go_on.set()
        await pool.stop()

    assert ["the database does not answer"] * 6 == [answer.detail for answer in answers]
    assert {Overloaded} == {type(answer) for answer in answers}
    assert {*range(readers.THREADS), 7} == set(asked)
