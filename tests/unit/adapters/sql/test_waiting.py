"""How long a caller waits for a database, where the loop that counts the time stands still."""

import asyncio
import time

import pytest

from tests.acceptance.wire_socket import eventually
from tocsin.adapters.sql import waiting as module
from tocsin.domain.errors import Overloaded


async def test_a_process_that_stood_still_has_not_waited(monkeypatch):
    """Its writer stood still as well: after a pause it is asked once more, and only then given up."""
    monkeypatch.setattr(module, "_LOOK_S", 0.05)
    monkeypatch.setattr(module, "ANSWER_S", 0.1)
    line, caller = module.Waiting(), asyncio.get_running_loop().create_future()
    line.add(caller)
    time.sleep(0.5)  # noqa: ASYNC251 the loop is to stand still
    for _ in range(3):
        await asyncio.sleep(0)
    assert not caller.done()

    await eventually(caller.done)
    with pytest.raises(Overloaded):
        await caller
