"""Ends of sessions over HTTP: ``POST /api/sessions/revoke``."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from tocsin.domain.revocation import MAX_TOKEN_ID
from tocsin.domain.timestamp import iso
from tocsin.domain.user_id import user_id_json
from tocsin.rest.answers import api_router, json_response, problems
from tocsin.rest.callers import Tracer, uses
from tocsin.rest.models import AnyUserId, Instant, Strict
from tocsin.rest.uses import Uses

router = api_router("sessions")


def _exactly_one(schema: dict[str, Any]) -> None:
    schema["properties"]["user_id"] = schema["properties"]["user_id"]["anyOf"][0]
    schema["properties"]["jti"] = schema["properties"]["jti"]["anyOf"][0]
    schema["oneOf"] = [{"required": ["user_id"]}, {"required": ["jti"]}]


class NewRevocation(Strict):
    """What counts no more: exactly one of ``user_id`` and ``jti``."""

    model_config = ConfigDict(json_schema_extra=_exactly_one)

    user_id: AnyUserId | None = None
    jti: Annotated[str, Field(min_length=1, max_length=MAX_TOKEN_ID)] | None = None
    expires_at: Annotated[
        Instant | None, Field(description="When such tokens will have expired; without it kept for 400 days.")
    ] = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if len(self.model_fields_set & {"user_id", "jti"}) != 1 or (self.user_id is None and self.jti is None):
            raise ValueError("exactly one of user_id and jti is required")
        return self


class RevocationView(BaseModel):
    """What was revoked."""

    user_id: int | str | None
    jti: str | None
    revoked_at: str
    expires_at: str
    valid_from: Annotated[int | None, Field(description="Of a user: the least `iat` of a token that counts.")]


@router.post("/api/sessions/revoke", response_model=RevocationView, responses=problems(415))
async def revoke_sessions(app: Annotated[Uses, Depends(uses)], _: Tracer, body: NewRevocation) -> Response:
    """
    Revoke a user's tokens issued until now, or one token by its `jti`; needs the scope `publish` or `admin`.

    Live sockets are cut within five seconds on every node, and the tokens are refused from then on. Tokens without an
    `iat` are refused as long as a revocation of their user is kept. A token made in the same second may
    carry `valid_from` as its `iat`.
    """
    until = None if body.expires_at is None else int(datetime.fromisoformat(body.expires_at).timestamp() * 1_000)
    if body.user_id is not None:
        made = await app.revocations.revoke_user(body.user_id, until)
    else:
        made = await app.revocations.revoke_token(str(body.jti), until)
    is_user = made.kind == "user"
    return json_response(
        {
            "user_id": user_id_json(body.user_id) if body.user_id is not None else None,
            "jti": None if is_user else made.name,
            "revoked_at": iso(made.created_at),
            "expires_at": iso(made.expires_at),
            "valid_from": made.valid_from if is_user else None,
        }
    )
