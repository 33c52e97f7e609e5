"""What modules with a part of the tables see of the store that is open."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from tocsin.adapters.sql.transaction import Reader, Transaction
from tocsin.application.texts import Lang

T = TypeVar("T")


class OpenStore(Protocol):
    """
    A store that runs operations of other modules.

    Attributes:
        lang: The language of what the server words itself, where its user has not said another.
    """

    lang: Lang

    async def write(self, operation: Callable[[Transaction], T], size: int = 0) -> T:
        """Run an operation in a write transaction."""

    async def read(self, query: Callable[[Reader], T]) -> T:
        """Run a query on a reader."""
