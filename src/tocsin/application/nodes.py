"""
Asking every node of an installation at once: the dashboard and the trace see all of them, whichever answers.

A question goes over the bus as an ephemeral event of a namespace that no client can connect to, and each node
answers the node that asked. Those that have answered lately are waited for, and as many as are heard to live
(``Nodes.others``); one that is new is found because its answer comes, if late. Several workers of a machine are
several nodes.
"""

import asyncio
import inspect
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, NamedTuple

import orjson

from tocsin.application.ports import Bus
from tocsin.domain.errors import TocsinError

NAMESPACE = "/:nodes"
# Of a node that is there and busy; one that has just died is waited for once.
PATIENCE_S = 1.0
# Where nobody has answered before: who is there?
FIRST_S = 0.3
KNOWN_S = 30.0
MAX_NAME = 128
MAX_KNOWN = 1_000
# The bus takes no more.
MAX_ANSWER_BYTES = 100_000

Given = Mapping[str, Any]
Answerer = Callable[[Given], Any | Awaitable[Any]]
"""Gets what the question gives, trusts none of it, and returns JSON of at most ``MAX_ANSWER_BYTES``."""

_log = logging.getLogger(__name__)


class Survey(NamedTuple):
    """
    What a question has brought.

    Attributes:
        answers: Each node's answer by its name, that of the node that asked first.
        silent: Who did not answer in time, as people may read it.
    """

    answers: dict[str, Any]
    silent: list[str]


@dataclass(slots=True)
class _Known:
    """A node that has answered; a silent one is not waited for until it is heard again."""

    name: str
    heard_at: float
    is_silent: bool = False


def fitted(rows: Sequence[Any]) -> list[Any]:
    """Return the first rows, at least one, that fit into an answer; a None after them says that there are more."""
    size = 0
    for place, row in enumerate(rows):
        size += len(orjson.dumps(row)) + 1
        if place and size > MAX_ANSWER_BYTES:
            return [*rows[:place], None]
    return list(rows)


class Nodes:
    """
    Asks all nodes, this one among them. Belongs to the event loop's thread.

    Args:
        bus: Reaches the other nodes.
        is_shared: There may be others.
        name: What people call this node; None: machine and process.

    Attributes:
        others: Returns how many other nodes live; None: that is not known now.
    """

    def __init__(self, bus: Bus, *, is_shared: bool, name: str | None = None) -> None:
        self._bus = bus
        self._is_shared = is_shared
        self.name = name or f"{socket.gethostname()[:64]}:{os.getpid()}"
        # Names of two machines may be the same.
        self._key = token_hex(8)
        self._answerers: dict[str, Answerer] = {}
        self._asked: dict[str, _Asked] = {}
        self._known: dict[str, _Known] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self.others: Callable[[], int | None] = lambda: 0

    def answer(self, question: str, answerer: Answerer) -> None:
        """Answer a question from now on."""
        self._answerers[question] = answerer

    async def ask(self, question: str, given: Given | None = None) -> dict[str, Any]:
        """
        Return each node's answer by its name, this node's first; a node that can't answer in time is left out.

        Raises:
            TocsinError: This node refuses.
        """
        return (await self.survey(question, given)).answers

    async def survey(self, question: str, given: Given | None = None) -> Survey:
        """
        Return each node's answer, and who did not give one.

        Raises:
            TocsinError: This node refuses.
        """
        given = given or {}
        found = {self.name: await self._answer(question, given)}
        if not self._is_shared:
            return Survey(found, [])
        self._forget(asyncio.get_running_loop().time())
        number = token_hex(8)
        others = self.others()
        awaited = {key for key, one in self._known.items() if not one.is_silent}
        silent = len(self._known) - len(awaited)
        asked = self._asked[number] = _Asked(awaited, max(len(awaited), (others or 0) - silent))
        try:
            body = {"node": self._key, "question": question, "number": number, "given": dict(given)}
            self._bus.publish_ephemeral(None, NAMESPACE, "ask", body)
            async with asyncio.timeout(PATIENCE_S if asked.at_least else FIRST_S):
                await asked.is_complete.wait()
        except TimeoutError:
            for key in asked.awaited & self._known.keys():
                self._known[key].is_silent = True
        finally:
            del self._asked[number]
        return Survey(found | asked.answers, self._silent(asked, others))

    def _silent(self, asked: "_Asked", others: int | None) -> list[str]:
        named = [one.name for key, one in self._known.items() if key not in asked.heard]
        if others is None:
            return [*named, "others, which can't be heard now"]
        more = others - len(asked.heard) - len(named)
        return [*named, f"{more} more"] if more > 0 else named

    def _forget(self, now: float) -> None:
        for key, one in list(self._known.items()):
            if one.heard_at < now - KNOWN_S:
                del self._known[key]

    async def _answer(self, question: str, given: Given) -> Any:
        found = self._answerers[question](given)
        return await found if inspect.isawaitable(found) else found

    async def stop(self) -> None:
        """Answer nothing more."""
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    def on_ephemeral(self, namespace: str, payload: Any) -> bool:
        """Take a question or an answer of another node; return whether it was one. What is neither is passed over."""
        if namespace != NAMESPACE:
            return False
        match payload:
            case {"node": str(node), "question": str(question), "number": str(number), "given": dict(given)}:
                if node != self._key and question in self._answerers and len(number) <= MAX_NAME:
                    task = asyncio.create_task(self._reply(question, number, given), name="tocsin-node-answer")
                    self._answering.add(task)
                    task.add_done_callback(self._answering.discard)
            case {"node": str(node), "name": str(name), "number": str(number), "answer": answer}:
                if node != self._key and len(node) <= MAX_NAME and len(name) <= MAX_NAME:
                    self._hear(node, name, number, answer)
            case _:
                pass  # of a later release
        return True

    async def _reply(self, question: str, number: str, given: Given) -> None:
        try:
            answer = await self._answer(question, given)
        except TocsinError as error:
            _log.info("a question of another node was not answered: %s", error.code)
            return
        except Exception:  # noqa: BLE001 logged
            # Whoever reaches the bus can word a question that nobody foresaw.
            _log.exception("a question of another node failed")
            return
        body = {"node": self._key, "name": self.name, "number": number, "answer": answer}
        self._bus.publish_ephemeral(None, NAMESPACE, "answer", body)

    def _hear(self, node: str, name: str, number: str, answer: Any) -> None:
        if node in self._known or len(self._known) < MAX_KNOWN:
            self._known[node] = _Known(name, asyncio.get_running_loop().time())
        asked = self._asked.get(number)
        if asked is None:
            return  # it came late, and is known now
        label = name if name not in asked.answers and name != self.name else f"{name} ({node[:4]})"
        asked.answers[label] = answer
        asked.heard.add(node)
        asked.awaited.discard(node)
        if asked.at_least and not asked.awaited and len(asked.heard) >= asked.at_least:
            asked.is_complete.set()


class _Asked:
    """A question that is under way: it is over when all that are awaited have answered, and so many in all."""

    def __init__(self, awaited: set[str], at_least: int) -> None:
        self.awaited = awaited
        self.at_least = at_least
        self.heard: set[str] = set()
        self.answers: dict[str, Any] = {}
        self.is_complete = asyncio.Event()
