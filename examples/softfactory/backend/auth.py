"""Who is signed in: passwords in, JWTs out. The WebSocket server verifies the same tokens."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

import jwt
from flask import abort, current_app, g, request
from werkzeug.security import check_password_hash, generate_password_hash

from .models import User, db

TOKEN_TTL = timedelta(hours=12)

# Checked when nobody has the name, so that the time of an answer does not tell which names exist.
_NOBODY = generate_password_hash("nobody")


def sign_in(login: str, password: str) -> tuple[User, str] | None:
    """Return the user and a token, or None."""
    user = db.session.scalar(db.select(User).filter_by(login=login))
    if not check_password_hash(user.password_hash if user else _NOBODY, password) or user is None:
        return None
    claims = {"sub": str(user.id), "exp": datetime.now(UTC) + TOKEN_TTL}
    return user, jwt.encode(claims, current_app.config["SECRET_KEY"], algorithm="HS256")


def signed_in(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let a view run for the bearer of a valid token only; ``g.user`` is who that is."""

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            claims = jwt.decode(
                token, current_app.config["SECRET_KEY"], algorithms=["HS256"], options={"require": ["sub", "exp"]}
            )
        except jwt.InvalidTokenError:
            claims = {}
        subject = str(claims.get("sub", ""))
        # A longer number is no user of the shop's, and more than its column holds.
        user = db.session.get(User, int(subject)) if subject.isdecimal() and len(subject) < 10 else None
        if user is None or kind.lower() != "bearer":
            abort(401)
        g.user = user
        return view(*args, **kwargs)

    return guarded
