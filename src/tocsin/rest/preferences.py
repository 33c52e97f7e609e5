"""Preferences over HTTP: of the caller, and the back end's defaults."""

from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from tocsin.domain.errors import Invalid
from tocsin.domain.notification import MAX_CATEGORY, MAX_SOUND
from tocsin.domain.preference import MAX_CATEGORIES, Digest, Locale, Preferences
from tocsin.rest.answers import api_router, json_response, problems
from tocsin.rest.callers import Caller, Publisher, uses
from tocsin.rest.models import Instant, Strict
from tocsin.rest.uses import Uses

router = api_router("preferences")

App = Annotated[Uses, Depends(uses)]
Clock = Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]
Zone = Annotated[str, Field(min_length=1, max_length=64, examples=["Asia/Seoul"])]


class CategoryRule(Strict):
    """What is asked of one category; what is left out is as `*` says, then as the back end says."""

    inbox: Annotated[bool | None, Field(description="False: into the archive at once, without a noise.")] = None
    toast: bool | None = None
    sound: Annotated[
        Annotated[str, Field(min_length=1, max_length=MAX_SOUND)] | bool | None, Field(description="False: none.")
    ] = None
    fcm: bool | None = None
    webpush: bool | None = None
    channels: bool | None = None
    digest: Digest | None = None


class Hours(Strict):
    """When nothing but what is urgent makes a noise; an `until` before `from` is the next morning's."""

    from_: Annotated[Clock, Field(alias="from")]
    until: Clock
    time_zone: Zone | None = None


class NewPreferences(Strict):
    """All that a user says; what was said before is replaced."""

    categories: Annotated[
        dict[Annotated[str, Field(min_length=1, max_length=MAX_CATEGORY)], CategoryRule],
        Field(default_factory=dict, max_length=MAX_CATEGORIES, description="By name; `*` is every category."),
    ]
    quiet_hours: Hours | None = None
    mute_until: Annotated[Instant | None, Field(description="No toast, sound or push till then.")] = None
    digest_hour: Annotated[int, Field(ge=0, le=23)] | None = None
    time_zone: Zone | None = None
    locale: Locale | None = None

    def said(self) -> Preferences:
        """Return what is said; raise Invalid where it breaks a rule."""
        return Preferences.read(self.model_dump(by_alias=True, exclude_none=True))


class PreferencesView(BaseModel):
    """What the user says, what the back end says, and what holds of the two."""

    preferences: dict[str, Any]
    defaults: dict[str, Any]
    effective: dict[str, Any]
    categories: list[str]


class DefaultsView(BaseModel):
    """What holds for whoever has not said otherwise."""

    defaults: dict[str, Any]


@router.get("/api/preferences", response_model=PreferencesView, responses=problems())
async def get_preferences(app: App, caller: Caller) -> Response:
    """Return how the caller wants to be told, with every category that is known."""
    return json_response(await _told(app, caller))


@router.put("/api/preferences", response_model=PreferencesView, responses=problems(415))
async def put_preferences(app: App, caller: Caller, body: NewPreferences) -> Response:
    """Replace what the caller says; it holds for what comes after the answer, on every device."""
    await app.preferences.save(caller.user_id, body.said())
    return json_response(await _told(app, caller))


@router.put("/api/preferences/defaults", response_model=DefaultsView, responses=problems(403, 415))
async def put_defaults(app: App, _: Publisher, body: NewPreferences) -> Response:
    """Replace what holds for everybody who has not said otherwise; needs the scope `publish`."""
    defaults = body.said()
    if defaults.mute_until is not None:
        raise Invalid("mute_until is each user's own, and no default")
    await app.preferences.save_defaults(defaults)
    return json_response({"defaults": defaults.json()})


async def _told(app: Uses, caller: Caller) -> dict[str, Any]:
    said = await app.preferences.find(caller.user_id)
    stats = await app.notifications.stats(caller.user_id)
    return said.json(name for name in stats.by_category if name)
