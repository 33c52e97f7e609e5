"""Templates over HTTP, for back ends."""

from typing import Annotated

from fastapi import Depends
from pydantic import BaseModel, Field
from starlette.responses import Response

from tocsin.application.templates import MAX_LOCALES
from tocsin.domain.template import MAX_NAME, MAX_SOURCE
from tocsin.rest.answers import api_router, json_response, no_content, problems
from tocsin.rest.callers import Publisher, uses
from tocsin.rest.models import Strict
from tocsin.rest.uses import Uses

router = api_router("templates")

App = Annotated[Uses, Depends(uses)]
Locale = Annotated[str, Field(pattern="^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35, examples=["en"])]


class Words(Strict):
    """Title and message, in Jinja's syntax: values, conditions and some filters."""

    title: Annotated[str, Field(min_length=1, max_length=MAX_SOURCE, examples=["{{ actor }} liked your post"])]
    message: Annotated[str, Field(max_length=MAX_SOURCE)] = ""


class NewTemplate(Strict):
    """The words by language; the user's is chosen, else the server's, else English."""

    locales: Annotated[dict[Locale, Words], Field(min_length=1, max_length=MAX_LOCALES)]


class TemplateView(BaseModel):
    """The words of one name in one language."""

    name: str
    locale: str
    title: str
    message: str
    updated_at: str


class TemplatesView(BaseModel):
    """Templates by name and language."""

    templates: list[TemplateView]


@router.get("/api/templates", response_model=TemplatesView, responses=problems())
async def list_templates(app: App, _: Publisher) -> Response:
    """List all templates; needs the scope `publish`."""
    return json_response({"templates": [one.json() for one in await app.templates.list()]})


@router.put("/api/templates/{name}", response_model=TemplatesView, responses=problems(415))
async def put_template(app: App, _: Publisher, name: str, body: NewTemplate) -> Response:
    """
    Keep the words of a name in its languages, in the place of what there was; needs the scope `publish`.

    A name of the server's own, such as `post_liked` or `digest`, puts these words in the place of its.
    """
    words = {locale: (said.title, said.message) for locale, said in body.locales.items()}
    return json_response({"templates": [one.json() for one in await app.templates.save(name[: MAX_NAME + 1], words)]})


@router.delete("/api/templates/{name}", status_code=204, response_model=None, responses=problems(404))
async def delete_template(app: App, _: Publisher, name: str) -> Response:
    """Remove a name in all its languages; needs the scope `publish`."""
    await app.templates.delete(name)
    return no_content()
