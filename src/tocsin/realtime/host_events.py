"""
The host's own handlers of client events: how they are called, and what is acked.

Which events the server takes itself is told by the modules of the namespaces;
in which threads sync handlers run, by ``host_threads``.
"""

import asyncio
import functools
import inspect
import logging
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import orjson

from tocsin.application.drafts import encode_json
from tocsin.domain.errors import Invalid
from tocsin.domain.rate import Rate, parse_rate
from tocsin.domain.user_id import UserId, user_id_json
from tocsin.realtime.host_threads import HostThreads, as_exception

MAX_ANSWER = 262_144
USER_SHARE = 4
_MARK = "__tocsin_rate__"

Ack = dict[str, Any]
HostFunction = Callable[..., Any]
FunctionT = TypeVar("FunctionT", bound=HostFunction)

log = logging.getLogger(__name__)


def limit(rate: str) -> Callable[[FunctionT], FunctionT]:
    """
    Mark a handler with the rate at which each user may send its event.

    It may stand above or below the decorator that registers the handler. The
    rate takes the place of ``TOCSIN_LIMIT_USER_EVENTS`` for this event, counts all
    connections that the user has on this node, and each event on its own.

    Args:
        rate: As ``10 per minute``, ``5/second``, ``1000 per 2 hours``.

    Raises:
        Invalid: It is no rate, or the handler is an object that can't be marked.
    """
    parsed = parse_rate(rate)

    def mark(function: FunctionT) -> FunctionT:
        try:
            setattr(_innermost(function), _MARK, parsed)
        except AttributeError:
            raise Invalid(f"{_named(function)} can't be given a rate; mark a function") from None
        return function

    return mark


def find_rate(function: HostFunction) -> Rate | None:
    """Return the rate that a handler was marked with, or None."""
    return getattr(_innermost(function), _MARK, None)


def _innermost(function: Any) -> Any:
    # A mark may be set before or after a function is wrapped: the function inside is the one place that stays.
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            return function


def _named(function: Any) -> str:
    inner = _innermost(function)
    return f"{getattr(inner, '__module__', '?')}.{getattr(inner, '__qualname__', type(inner).__name__)}"


class HostHandler:
    """
    One handler of the host, called as its signature says.

    With no parameter it gets nothing; with one, the data of the event; with more
    (``*args`` counts as more), the user's id, the data, and what else the client
    sent. Parameters with a default count, and may be left out by the client.

    Args:
        function: A function, method, ``functools.partial`` or other callable, sync or async.

    Attributes:
        is_async: It is called on the event loop and must not block.

    Raises:
        Invalid: It can't be called by position.
    """

    __slots__ = ("_function", "_gets_user", "_max_args", "_min_args", "is_async", "name")

    def __init__(self, function: HostFunction) -> None:
        if not callable(function):
            raise Invalid(f"{function!r} can't be called; a handler is a function")
        self.name = _named(function)
        self._function = function
        self.is_async = _is_async(function)
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            raise Invalid(f"{self.name} does not tell its parameters; wrap it in a function") from None
        if any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in parameters):
            raise Invalid(
                f"{self.name} has a keyword-only parameter without a default; a handler is called by position"
            )
        places = [one for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
        takes_all = any(one.kind is one.VAR_POSITIONAL for one in parameters)
        self._gets_user = takes_all or len(places) > 1
        least = sum(one.default is one.empty for one in places)
        self._min_args = max(0, least - self._gets_user)
        # Who wants no data is called whether or not some came.
        self._max_args = sys.maxsize if takes_all else max(1, len(places) - self._gets_user)
        if not takes_all and not places:
            self._function = functools.partial(_without_arguments, function)

    def bind(self, user_id: UserId, args: tuple[Any, ...]) -> Callable[[], Any]:
        """
        Return the call for what a client sent.

        Raises:
            Invalid: The number of arguments is not what the signature takes.
        """
        if not self._min_args <= len(args) <= self._max_args:
            raise Invalid("wrong number of arguments")
        if self._gets_user:
            return functools.partial(self._function, user_id_json(user_id), *args)
        return functools.partial(self._function, *args)


def _without_arguments(function: HostFunction, *_: Any) -> Any:
    return function()


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(type(function), "__call__", None)  # noqa: B004 its kind matters, not its presence
    )


class HostEvents:
    """
    The host's handlers, by namespace and event.

    Events of one socket start in the order of the wire. Sync handlers run in
    threads, those of one socket one after another, of several sockets at the same
    time; those of one user take a quarter of the threads at most, so that whoever
    makes handlers hang, and comes back to do it again, takes them from nobody else.
    What waits behind a handler that hangs is sync events of its socket, and of those
    of its user that share the thread. Async handlers run on the loop, at the same time as
    others once they wait. What was taken from a client is handled also when it goes away.

    Belongs to the event loop's thread; ``add`` and ``find`` are safe from any.

    Args:
        threads: Sync handlers that run at a time.
    """

    def __init__(self, threads: int) -> None:
        self._threads = HostThreads(threads)
        self._lanes = max(1, threads // USER_SHARE)
        self._handlers: dict[tuple[str, str], HostHandler] = {}

    def add(self, namespace: str, event: str, function: HostFunction) -> HostHandler:
        """
        Register a handler.

        Raises:
            Invalid: It can't be called by position, or the event has one already.
        """
        handler = HostHandler(function)
        known = self._handlers.setdefault((namespace, event), handler)
        if known is not handler:
            raise Invalid(f"{event!r} on {namespace} is handled by {known.name} already; an event has one handler")
        return handler

    def find(self, namespace: str, event: str) -> HostHandler | None:
        """Return the handler of an event, or None."""
        return self._handlers.get((namespace, event))

    async def call(self, handler: HostHandler, user_id: UserId, socket_id: str, args: tuple[Any, ...]) -> Ack:
        """
        Call a handler and return its ack.

        Args:
            handler: Of ``add`` or ``find``.
            user_id: The user of the connection, whatever the client says.
            socket_id: Which socket's event it is: sync calls for one run one after another.
            args: What the client sent.

        Raises:
            Invalid: The number of arguments is not what the handler takes.
            Overloaded: Too many events wait for a thread.
            Exception: Whatever the handler raised.
        """
        call = handler.bind(user_id, args)
        if not handler.is_async:
            answer = await self._threads.run((user_id, hash(socket_id) % self._lanes), call)
            # A lambda around an async function is a sync one.
            if inspect.isawaitable(answer):
                answer = await _guarded(answer)
        else:
            answer = await _guarded(call())
        return ack_of(handler, answer)

    async def stop(self, timeout_s: float) -> None:
        """Refuse what waits, and wait for the handlers that run in threads for ``timeout_s`` at most."""
        await self._threads.stop(timeout_s)


async def _guarded(answer: Any) -> Any:
    try:
        return await answer
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise as_exception(error) from error
    except SystemExit as error:
        raise as_exception(error) from error


def ack_of(handler: HostHandler, answer: Any) -> Ack:
    """
    Return the ack of what a handler returned.

    Nothing is ``{ok: true}``, an object is merged into that, anything else is its
    ``result``; instants become ISO 8601 UTC. ``ok`` says that the handler took the
    event, so that an object with another ``ok`` is a mistake of the handler, as is
    what has no JSON form: to refuse an event, a handler raises a TocsinError.

    Raises:
        TypeError: It has no JSON form, is too long, or has an ``ok`` that is not True.
    """
    if answer is None:
        return {"ok": True}
    try:
        # The engine would send bytes as an attachment; here and now they are no JSON, as on every door.
        encoded = encode_json(answer)
    except Invalid as error:
        raise TypeError(f"{handler.name} returned what can't be acked: {error.detail}") from None
    if len(encoded) > MAX_ANSWER:
        raise TypeError(f"{handler.name} returned {len(encoded)} bytes of JSON; {MAX_ANSWER} are the most")
    if not isinstance(answer, dict):
        return {"ok": True, "result": orjson.Fragment(encoded)}
    ack = {"ok": True, **orjson.loads(encoded)}
    if ack["ok"] is not True:
        raise TypeError(f"{handler.name} returned an 'ok' that is not True; raise a TocsinError to refuse an event")
    return ack
