"""``tocsin token``: a JWT for trying things out and for scripts."""

import re
from typing import Annotated

import typer

from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import parse_user_id
from tocsin.settings import Settings

_TTL = re.compile(r"([0-9]{1,9})([smhd]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def token(
    user: Annotated[str, typer.Option(help="The user id that becomes the token's sub.")],
    scope: Annotated[str, typer.Option(help="Space-separated scopes, such as: publish")] = "",
    ttl: Annotated[str, typer.Option(help="How long it is valid: 90s, 15m, 12h, 30d.")] = "1h",
) -> None:
    """Print a token that this server accepts, made with TOCSIN_JWT_SECRET."""
    typer.echo(issue_token(Settings(), parse_user_id(user, "--user"), ttl_s=_seconds(ttl), scope=scope))


def _seconds(ttl: str) -> int:
    found = _TTL.fullmatch(ttl)
    if found is None or not int(found[1]):
        raise typer.BadParameter("must be more than 0 and look like 90s, 15m, 12h or 30d", param_hint="--ttl")
    return int(found[1]) * _SECONDS[found[2]]
