"""Other channels over HTTP, for back ends."""

from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from starlette.responses import Response

from tocsin.domain.channel import MAX_NAME, MAX_URL, ChannelDraft
from tocsin.domain.notification import MAX_CATEGORY
from tocsin.domain.user_id import parse_user_id
from tocsin.rest.answers import ONCE, api_router, json_response, no_content, problems
from tocsin.rest.callers import OnceKey, Publisher, uses
from tocsin.rest.models import AnyUserId, Strict
from tocsin.rest.uses import Uses

router = api_router("channels")

App = Annotated[Uses, Depends(uses)]
Category = Annotated[str, Field(min_length=1, max_length=MAX_CATEGORY)]


class NewChannel(Strict):
    """Where a user's notifications go, or all of a category, when nobody has seen them."""

    user_id: AnyUserId | None = None
    category: Category | None = None
    url: Annotated[str, Field(min_length=1, max_length=MAX_URL, description="As Apprise writes it; a secret.")]
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)] | None = None


class ChannelQuery(Strict):
    """Which channels."""

    user_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    category: Category | None = None


class ChannelView(BaseModel):
    """A channel; its URL is not shown."""

    id: str
    user_id: int | str | None
    category: str | None
    scheme: str
    name: str | None
    created_at: str


class ChannelsView(BaseModel):
    """Channels, the oldest first."""

    channels: list[ChannelView]


@router.post(
    "/api/channels",
    status_code=201,
    response_model=ChannelView,
    responses=problems(409, 415),
    openapi_extra=ONCE,
)
async def add_channel(app: App, _: Publisher, body: NewChannel, once: OnceKey) -> Response:
    """Set up an e-mail address, a Slack channel or the like; needs the scope `publish`."""
    draft = ChannelDraft(user_id=body.user_id, category=body.category, url=body.url, name=body.name)
    return json_response((await app.channels.add(draft, once)).json(), 201)


@router.get("/api/channels", response_model=ChannelsView, responses=problems())
async def list_channels(app: App, _: Publisher, query: Annotated[ChannelQuery, Query()]) -> Response:
    """List the channels of a user, of a category, or all; needs the scope `publish`."""
    user_id = None if query.user_id is None else parse_user_id(query.user_id)
    found = await app.channels.list(user_id, query.category)
    return json_response({"channels": [channel.json() for channel in found]})


@router.delete("/api/channels/{channel_id}", status_code=204, response_model=None, responses=problems(404))
async def remove_channel(app: App, _: Publisher, channel_id: str) -> Response:
    """Send nothing there any more; needs the scope `publish`."""
    await app.channels.remove(channel_id)
    return no_content()
