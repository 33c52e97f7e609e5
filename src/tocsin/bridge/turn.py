"""What a bridge does on the loop between its writes."""

import concurrent.futures
from collections.abc import Callable
from typing import Any

from tocsin.domain.user_id import UserId


class Turn:
    """
    Something to do on the loop when its turn comes.

    Attributes:
        told: The users who hear of it; None is everybody.
        answer: Who waits for it, if anybody does.
    """

    __slots__ = ("action", "answer", "size", "told")

    def __init__(
        self,
        action: Callable[[], object],
        *,
        told: tuple[UserId | None, ...] = (),
        size: int = 0,
        answer: concurrent.futures.Future[Any] | None = None,
    ) -> None:
        self.action = action
        self.told = told
        self.size = size
        self.answer = answer
