"""
Routes of the demo alone: the page, its tokens, its users' plugs and posts.

``tocsin serve`` has none of them. They hand out tokens, so they answer only
this machine (loopback peer, loopback ``Host``, no proxy in between) and only
the page itself. What the demo does behind them is ``cli.demo_host``'s.
"""

from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount

from tocsin.domain.errors import Forbidden, NotFound
from tocsin.domain.user_id import UserId, parse_user_id
from tocsin.rest.answers import json_response
from tocsin.rest.callers import Caller, Publisher
from tocsin.rest.endpoint import Endpoint, Incoming
from tocsin.rest.models import Strict
from tocsin.rest.static_files import DEMO, Revalidated, demo_page

MAX_PLUG_S = 60.0

_LOOPBACK_PEERS = {"127.0.0.1", "::1"}
_LOOPBACK_NAMES = {"127.0.0.1", "[::1]", "localhost"}
_OF_A_PROXY = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host")


class Demo(Protocol):
    """What the routes need of the demo."""

    def session(self) -> dict[str, Any]:
        """Return the users with fresh tokens, a back end's token, and one for the dashboard."""

    async def pull(self, user_id: UserId, seconds: float) -> None:
        """Cut a user's connections and let none in for a while; NotFound for a stranger."""

    def add_post(self, user_id: UserId, text: str) -> str:
        """Keep a user's post and return its id."""


class PlugOut(Strict):
    """Whose plug is pulled, and for how long."""

    user_id: int | str
    seconds: Annotated[float, Field(gt=0, le=MAX_PLUG_S)]


class NewPost(Strict):
    """A post that is not published yet."""

    text: Annotated[str, Field(min_length=1, max_length=200)]


def check_local(request: Incoming) -> None:
    """
    Let pass what a page of this machine's own asks of this machine.

    The ``Host`` is looked at because a foreign page can point its own name at
    127.0.0.1 (DNS rebinding), and is then of the same origin to the browser.

    Raises:
        Forbidden: Anything else.
    """
    peer = request.client.host if request.client else ""
    host = (request.header(b"host") or "").lower()
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    site = request.header(b"sec-fetch-site") or "same-origin"
    is_proxied = any(request.header(header) is not None for header in _OF_A_PROXY)
    if peer not in _LOOPBACK_PEERS or name not in _LOOPBACK_NAMES or is_proxied or site not in {"same-origin", "none"}:
        raise Forbidden("the demo answers its own page on this machine only")


Local = Annotated[None, Depends(check_local)]


def _page(name: str) -> Response:
    path = DEMO / name
    if not path.is_file():
        raise NotFound("the browser part is not built: run `make demo`, or `npm ci && npm run build` in web/")
    return demo_page(path)


def demo_routes(demo: Demo) -> list[BaseRoute]:
    """Return the routes, the page's files last; they go before all others, because ``/`` is theirs."""
    router = APIRouter(route_class=Endpoint, include_in_schema=False)

    @router.get("/")
    async def front(_: Local) -> Response:
        """Show the page."""
        return _page("index.html")

    @router.get("/demo/inbox")
    async def inbox(_: Local) -> Response:
        """Show the page of the inbox's elements."""
        return _page("inbox.html")

    @router.get("/demo/session")
    async def session(_: Local) -> Response:
        """Hand out the tokens of the demo's users and of its back end."""
        return json_response(demo.session())

    @router.post("/demo/plug")
    async def plug(_: Local, _publisher: Publisher, body: PlugOut) -> Response:
        """Cut a user off."""
        await demo.pull(parse_user_id(body.user_id), body.seconds)
        return json_response({"seconds": body.seconds}, 202)

    @router.post("/demo/posts")
    async def add_post(_: Local, caller: Caller, body: NewPost) -> Response:
        """Keep a post, as a host's own route would."""
        return json_response({"post_id": demo.add_post(caller.user_id, body.text)}, 201)

    return [*router.routes, Mount("/demo", Revalidated(directory=DEMO, check_dir=False))]
