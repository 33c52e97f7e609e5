"""
The edge of client events: strict arguments in, ``{"ok": true, …}`` or a problem out.

Which events a namespace takes is told by the module of the namespace; what
fails otherwise, and events that nobody takes, the engine answers.
"""

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tocsin.application.rate_limits import RateLimits
from tocsin.application.tracing import Tracing
from tocsin.application.validation import findings
from tocsin.domain.errors import Invalid, TocsinError
from tocsin.engine import EventRefused, Socket, SocketServer
from tocsin.realtime.authenticate import Identity

# No id holds a NUL, and PostgreSQL can't be asked for one: the transaction of others would fail with it.
NO_NUL = r"^[^\x00]*$"
ObjectId = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]
AnyUserId = int | str


class Arguments(BaseModel):
    """The one object that comes with a client event: no coercion, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


ArgumentsT = TypeVar("ArgumentsT", bound=Arguments)
Result = dict[str, Any] | None
Use = Callable[[Socket, ArgumentsT], Result]
AsyncUse = Callable[[Socket, ArgumentsT], Awaitable[Result]]
RawUse = Callable[[Socket, tuple[Any, ...]], Awaitable[Result]]


def refusal_of(error: TocsinError) -> EventRefused:
    """Return the error as the ack of a client event."""
    return EventRefused({"ok": False, **error.problem()})


def identity_of(socket: Socket) -> Identity:
    """Return whose the socket's connection is; every connected socket's is somebody's."""
    identity = socket.connection.data
    assert isinstance(identity, Identity)
    return identity


def parse_arguments(model: type[ArgumentsT], args: tuple[Any, ...]) -> ArgumentsT:
    """
    Return the validated arguments of an event; none at all stand for an empty object.

    Raises:
        Invalid: Not exactly one object, or one that breaks the model; the
            detail names the first field and repeats no value.
    """
    if len(args) > 1:
        raise Invalid("expected one object")
    given = args[0] if args and args[0] is not None else {}
    if not isinstance(given, dict):
        raise Invalid("expected one object")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Invalid(findings(error)[0]) from None


class ClientEvents:
    """
    Registers what clients may ask, each event within its user's rate.

    Args:
        server: The engine that the events come from.
        limits: Rates of the events; one that is refused for its rate is not looked at.
        tracing: Follows what waits for a commit; None: nothing is followed.

    Attributes:
        refusals: Events that were refused since the start, by code.
        models: What each event takes, by namespace and name.
    """

    def __init__(self, server: SocketServer, limits: RateLimits, tracing: Tracing | None = None) -> None:
        self._server = server
        self._limits = limits
        self._tracing = tracing
        self.refusals: Counter[str] = Counter()
        self.models: dict[tuple[str, str], type[Arguments]] = {}

    def take(self, namespace: str, event: str, model: type[ArgumentsT], use: Use[ArgumentsT]) -> None:
        """Register a client event whose use never waits; it runs inline, with no task."""
        limit = self._limits.of(namespace, event)
        self.models[namespace, event] = model

        def handle(socket: Socket, *args: Any) -> dict[str, Any]:
            try:
                limit.spend(socket.connection.data.user_id)
                return {"ok": True, **(use(socket, parse_arguments(model, args)) or {})}
            except TocsinError as error:
                self.refusals[error.code] += 1
                raise refusal_of(error) from None

        self._server.on(event, namespace=namespace)(handle)

    def take_async(self, namespace: str, event: str, model: type[ArgumentsT], use: AsyncUse[ArgumentsT]) -> None:
        """Register a client event whose use waits for a commit."""
        self.models[namespace, event] = model

        async def use_parsed(socket: Socket, args: tuple[Any, ...]) -> Result:
            return {"ok": True, **(await use(socket, parse_arguments(model, args)) or {})}

        self.take_raw(namespace, event, use_parsed)

    def take_raw(self, namespace: str, event: str, use: RawUse) -> None:
        """Register a client event whose arguments nobody has looked at; what the use returns is the ack."""
        limit = self._limits.of(namespace, event)

        async def handle(socket: Socket, *args: Any) -> Result:
            try:
                limit.spend(socket.connection.data.user_id)
                if self._tracing is None:
                    return await use(socket, args)
                with self._tracing.client_event(namespace, event):
                    return await use(socket, args)
            except TocsinError as error:
                self.refusals[error.code] += 1
                raise refusal_of(error) from None

        self._server.on(event, namespace=namespace)(handle)
