"""
One HTTP route: what an endpoint declares is read from the request, strictly.

An endpoint is declared as FastAPI knows it, and FastAPI documents it. It is
*run* here: FastAPI's own solving of dependencies costs more than the rest of a
POST, its JSON lets NaN and lone surrogates in, and it answers 422 in a shape of
its own. A parameter of an endpoint is one of

- ``Annotated[X, Depends(read)]`` with ``read(request: Incoming) -> X``, sync or async,
- ``body``: a strict model of the JSON body, ``Model | None`` where it may be missing,
- ``query``: ``Annotated[Model, Query()]``, a strict model of the query,
- a name of the path, as ``str``; ``{user_id:user}`` takes any user id.
"""

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import orjson
from fastapi.params import Depends
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from tocsin.application.validation import findings, refuse_long_integers
from tocsin.domain.errors import Invalid, KeyUnknown, PayloadTooBig, TocsinError
from tocsin.domain.principal import Principal
from tocsin.engine import TimerWheel
from tocsin.rest.problems import Malformed, RequestTimeout, UnsupportedMediaType, problem_response
from tocsin.rest.requests import ROUTE

MAX_BODY = 1_000_000
BODY_DEADLINE_S = 30
MAX_DEPTH = 64
MAX_NAMED_ERRORS = 5


RawHeaders = Sequence[tuple[bytes, bytes]]


class UserIdConvertor(StringConvertor):
    """
    A user id in a path: a slash in it may be encoded or not, servers decode it before they hand it over.

    None at its end: a path with one slash too many names nobody, and must not answer as if it did.
    """

    regex = "[^/](?:.*[^/])?"


register_url_convertor("user", UserIdConvertor())


class Incoming(Request):
    """
    A request whose body has been read.

    Attributes:
        content: The body.
        principal: The bearer of its token, once somebody has asked for that.
        limit_headers: What the answer tells of the limits that it was counted for.
    """

    content: bytes = b""
    principal: Principal | None = None
    limit_headers: RawHeaders = ()
    _fields: dict[bytes, bytes] | None = None
    _repeated: frozenset[bytes] = frozenset()

    def header(self, name: bytes) -> str | None:
        """
        Return a header that may come once at most.

        Args:
            name: In lower case.

        Raises:
            Malformed: It comes twice; which one counts would be anybody's guess.
        """
        if self._fields is None:
            raw = self.scope["headers"]
            self._fields = dict(raw)
            if len(self._fields) < len(raw):
                counts = Counter(key for key, _ in raw)
                self._repeated = frozenset(key for key, count in counts.items() if count > 1)
        if name in self._repeated:
            raise Malformed(f"the header {name.decode()} comes more than once")
        value = self._fields.get(name)
        return None if value is None else value.decode("latin-1")


class Endpoint(APIRoute):
    """
    A route that FastAPI documents and this module runs.

    One with GET has HEAD as well (RFC 9110, 9.1), which is not documented: the server leaves the body out.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        readers = _readers(endpoint)
        template = self.path_format

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            request = Incoming(scope)
            scope[ROUTE] = template
            try:
                try:
                    request.content = await read_body(scope, receive)
                except TocsinError:
                    # Nobody has looked for a token: the address pays.
                    request.limit_headers = request.app.state.uses.limits.spend(scope, None)
                    raise
                try:
                    arguments = {name: read(request) for name, read in readers}
                except KeyUnknown as unknown:
                    await unknown.look()
                    arguments = {name: read(request) for name, read in readers}
                response = await endpoint(**arguments)
            except TocsinError as error:
                scope["app"].requests.refusals[error.code] += 1
                response = problem_response(error)
            except ClientDisconnect:
                return
            response.raw_headers += request.limit_headers
            await response(scope, receive, send)

        self.app = serve

    @property
    def allowed(self) -> set[str]:
        """Return the methods that it answers."""
        methods = self.methods or set()
        return {*methods, "HEAD"} if "GET" in methods else methods

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return how well it fits a request."""
        match, child_scope = super().matches(scope)
        return Match.FULL if match is Match.PARTIAL and scope["method"] in self.allowed else match, child_scope

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that fits."""
        if scope["method"] not in self.allowed:
            raise HTTPException(405)
        await self.app(scope, receive, send)


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """
    Return the body, at most ``MAX_BODY`` bytes of it.

    Raises:
        PayloadTooBig: It is longer, whatever its ``Content-Length`` says.
        RequestTimeout: It did not arrive within ``BODY_DEADLINE_S``.
        ClientDisconnect: The client left before the end.
    """
    for name, value in scope["headers"]:
        if name == b"content-length":
            if value.isdigit() and int(value[:10]) > MAX_BODY:
                raise _too_big()
            break
        if name == b"transfer-encoding":
            break
    else:
        return b""
    deadline = _Deadline()
    wheel: TimerWheel = scope["app"].wheel
    wheel.schedule(deadline, BODY_DEADLINE_S)
    try:
        return await _collect(receive)
    except asyncio.CancelledError:
        if not deadline.is_over or deadline.task.uncancel():
            raise
        raise RequestTimeout(f"the body did not arrive within {BODY_DEADLINE_S} s") from None
    finally:
        wheel.cancel(deadline)


class _Deadline:
    """Cancels the task that made it; a tenth of the cost of ``asyncio.timeout``, which every POST would pay."""

    __slots__ = ("due_tick", "is_over", "task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.task = task
        self.due_tick = 0
        self.is_over = False

    def on_due(self, now: float) -> None:  # noqa: ARG002 an Entry gets the time
        self.is_over = True
        self.task.cancel()


async def _collect(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk: bytes = message.get("body", b"")
        body = body + chunk if body else chunk
        if len(body) > MAX_BODY:
            raise _too_big()
        if not message.get("more_body", False):
            return body


def _too_big() -> PayloadTooBig:
    return PayloadTooBig(f"the body has more than {MAX_BODY} bytes")


def read_json(request: Incoming) -> Any:
    """
    Return the body as JSON (RFC 8259): UTF-8, no NaN, no lone surrogate, no integer that could not be kept.

    Raises:
        UnsupportedMediaType: It is not declared as JSON, or is compressed.
        Malformed: It is not JSON.
        Invalid: It is nested deeper than ``MAX_DEPTH``, or an integer has more than 64 bits.
    """
    media_type = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("the body must be application/json")
    if (request.header(b"content-encoding") or "identity").lower() != "identity":
        raise UnsupportedMediaType("the body must not be compressed")
    content = request.content
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"the body is not JSON: {error.msg}") from None
    # What is read must also be written again, and orjson writes 254 levels; counting brackets is the cheap check.
    if content.count(b"{") + content.count(b"[") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise Invalid(f"the body is nested deeper than {MAX_DEPTH} levels")
    refuse_long_integers(content)
    return value


def _is_deeper(value: object, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    children = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(child, levels - 1) for child in children)


_Reader = Callable[[Incoming], Any]


def _readers(endpoint: Callable[..., Any]) -> list[tuple[str, _Reader]]:
    hints = get_type_hints(endpoint, include_extras=True)
    return [(name, _reader(name, hints[name])) for name in inspect.signature(endpoint).parameters]


def _reader(name: str, hint: Any) -> _Reader:
    plain, *marks = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    for mark in marks:
        if isinstance(mark, Depends) and mark.dependency is not None:
            return mark.dependency
    if name == "query":
        return lambda request: _read_query(request, plain)
    if name == "body":
        return _body_reader(plain)
    return lambda request: request.scope["path_params"][name]


def _body_reader(hint: Any) -> _Reader:
    choices = get_args(hint)
    model = next(choice for choice in choices or (hint,) if choice is not NoneType)

    def read(request: Incoming) -> Any:
        if NoneType in choices and not request.content:
            return None
        value = read_json(request)
        return None if NoneType in choices and value is None else _validated(model.model_validate, value)

    return read


def _read_query(request: Incoming, model: type[BaseModel]) -> Any:
    try:
        text = request.scope["query_string"].decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise Malformed("the query is not percent-encoded UTF-8") from None
    values = dict(pairs)
    if len(values) < len(pairs):
        raise Invalid("a parameter comes more than once in the query")
    return _validated(model.model_validate_strings, values)


def _validated(validate: Callable[[Any], Any], value: Any) -> Any:
    try:
        return validate(value)
    except ValidationError as error:
        raise Invalid("; ".join(findings(error)[:MAX_NAMED_ERRORS])) from None
