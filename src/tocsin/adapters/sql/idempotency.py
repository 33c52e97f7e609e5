"""
Writes that happen once: the key is saved in the transaction of its write.

A repeat gets the first result, also after a crash between commit and answer.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import orjson

from tocsin.adapters.sql.statements import SQL
from tocsin.adapters.sql.transaction import Foreseen, Reader, Transaction
from tocsin.application.once import Once
from tocsin.domain.errors import KeyReused

T = TypeVar("T")

KEPT_MS = 24 * 3600 * 1000


def perform_once(
    transaction: Transaction,
    once: Once | None,
    perform: Callable[[Transaction], T],
    to_json: Callable[[T], Any],
    from_json: Callable[[Any], T],
) -> T:
    """
    Perform a write and save its result under the key, or return the saved one.

    Raises:
        KeyReused: The key was used for another request within 24 hours.
    """
    if once is None:
        return perform(transaction)
    name = _name(once)
    saved = transaction.row(SQL.find_key, name)
    if saved is not None and saved[2] > transaction.now - KEPT_MS:
        if saved[0] == once.fingerprint:
            return from_json(orjson.loads(saved[1]))
        if not once.takes_over:
            raise KeyReused("this idempotency key was used for another request")
    result = perform(transaction)
    encoded = orjson.dumps(to_json(result))
    saved_now = {**name, "fingerprint": once.fingerprint, "result": encoded, "created_at": transaction.now}
    transaction.execute_many(SQL.save_key, [saved_now])
    return result


def was_done(reader: Reader, once: Once, now: int) -> bool:
    """Return whether the same was done under the key before, so that ``perform_once`` gives its result."""
    saved = reader.execute(SQL.find_key, _name(once)).fetchone()
    return saved is not None and saved[2] > now - KEPT_MS and bytes(saved[0]) == once.fingerprint


def with_key(foreseen: Foreseen, once: Once) -> Foreseen:
    """Return what ``perform_once`` will look for, and what is asked for besides."""
    return foreseen._replace(looks=[*foreseen.looks, (SQL.find_key, _name(once))])


def _name(once: Once) -> dict[str, str]:
    return {"owner": once.owner, "key": once.key}


def unchanged(result: T) -> T:
    """Return a result that is JSON already."""
    return result
