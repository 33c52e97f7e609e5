"""``tocsin send``: a notification from a shell or a cron job."""

from typing import Annotated, cast, get_args

import orjson
import typer

from tocsin.application.notifications import Notifications
from tocsin.application.validation import refuse_long_integers
from tocsin.cli.store import with_store
from tocsin.domain.notification import NotificationDraft, Priority
from tocsin.domain.user_id import parse_user_id


def send(  # noqa: PLR0917 they are options of a command line
    user: Annotated[str, typer.Argument(help="The user id.")],
    title: Annotated[str, typer.Argument(help="Shown as text.")],
    message: Annotated[str, typer.Argument(help="Shown as text.")] = "",
    kind: Annotated[str, typer.Option("--type", help="What it is about, for programs.")] = "message",
    category: Annotated[str | None, typer.Option(help="For filters and counts.")] = None,
    priority: Annotated[str, typer.Option(help="How much it matters: low, normal, high or urgent.")] = "normal",
    data: Annotated[str, typer.Option(help="A JSON object for programs.")] = "{}",
) -> None:
    """
    Store a notification in the database and print its id.

    Works with and without a running server; one on the same database delivers
    it within seconds.
    """
    draft = NotificationDraft(
        user_id=parse_user_id(user),
        type=kind,
        title=title,
        message=message,
        category=category,
        priority=_known_priority(priority),
        data=_json_object(data),
    )
    typer.echo(with_store(lambda store: Notifications(store).create(draft)).id)


def _known_priority(text: str) -> Priority:
    # Typer's own check of a Literal tells of a "Value error".
    for priority in get_args(Priority):
        if text == priority:
            return cast("Priority", priority)
    raise typer.BadParameter("must be low, normal, high or urgent", param_hint="--priority")


def _json_object(text: str) -> dict[str, object]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise typer.BadParameter("must be a JSON object", param_hint="--data")
    refuse_long_integers(text.encode())
    return value
