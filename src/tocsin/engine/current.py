"""
Whose packet is being handled: for the log lines that a handler causes, however deep below it.

A session's id is a secret of its client, so that a line names the connection by a hash of it.
"""

import hashlib
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tocsin.engine.session import Session

CONNECTION: "ContextVar[Session | None]" = ContextVar("tocsin_connection", default=None)
"""The connection that an async handler works for, also in the tasks and threads that copy its context."""


def log_name(session: "Session") -> str:
    """Return what log lines call a connection: 12 hexadecimal digits, always the same ones."""
    return hashlib.blake2b(session.sid.encode(), digest_size=6).hexdigest()


def named(session: "Session") -> dict[str, str]:
    """Return what a log line is given as ``extra``, where no handler's context names the connection."""
    return {"connection": log_name(session)}
