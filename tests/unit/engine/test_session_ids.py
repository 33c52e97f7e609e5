"""Ids of sessions: unguessable, never twice, in forked children neither."""

import os
import re

from tocsin.engine.session_ids import session_id


def test_each_is_another_of_its_own_bits():
    """A thousand, which are several blocks, are twenty URL-safe characters each."""
    found = {session_id() for _ in range(1_000)}

    assert len(found) == 1_000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{20}", one) for one in found)


def test_a_forked_child_gives_out_none_of_its_parents():
    """What the parent had in stock is the parent's."""
    session_id()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, " ".join(session_id() for _ in range(200)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    of_child = set(os.read(reading, 65_536).decode().split())
    os.close(reading)
    os.close(writing)

    assert len(of_child) == 200
    assert not of_child & {session_id() for _ in range(200)}
