"""Revoked tokens, and users whose tokens were revoked."""

from sqlalchemy import Case, bindparam, case, delete, select

from tocsin.adapters.sql.dialects import compiled, upsert
from tocsin.adapters.sql.open_store import OpenStore
from tocsin.adapters.sql.schema import revocation as table
from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.domain.revocation import Revocation

_first = upsert(table).values({column.name: bindparam(column.name) for column in table.c})


def _later(name: str) -> Case[int]:
    given, kept = _first.excluded[name], table.c[name]
    return case((given > kept, given), else_=kept)


# Also the instant: a clock that is behind would let tokens in again that were revoked.
_SAVE = compiled(
    _first.on_conflict_do_update(
        index_elements=[table.c.kind, table.c.name],
        set_={name: _later(name) for name in ("created_at", "expires_at")},
    )
)
_SINCE = compiled(
    select(table)
    .where(table.c.created_at >= bindparam("created_at"), table.c.expires_at > bindparam("now"))
    .order_by(table.c.created_at)
)
_PRUNE = compiled(delete(table).where(table.c.expires_at <= bindparam("now")))


def prune(transaction: Transaction, now: int) -> int:
    """Drop what has expired; return how many that were."""
    return transaction.execute(_PRUNE, {"now": now}).rowcount


class SqlRevocations:
    """Implements ``RevocationStore``; see there for what each method guarantees."""

    def __init__(self, store: OpenStore) -> None:
        self._store = store

    async def save(self, revocation: Revocation) -> None:
        """Insert or renew one."""
        values = {
            "kind": revocation.kind,
            "name": revocation.name,
            "created_at": revocation.created_at,
            "expires_at": revocation.expires_at,
        }
        await self._store.write(lambda transaction: transaction.execute(_SAVE, values).rowcount)

    async def since(self, created_at: int, now: int) -> list[Revocation]:
        """Return those made since."""

        def read(reader: Reader) -> list[Revocation]:
            return [Revocation(*row) for row in reader.execute(_SINCE, {"created_at": created_at, "now": now})]

        return await self._store.read(read)
