"""
Logs of the server process: stdlib records, shown for people or as JSON lines.

Library code logs by the standard library alone; only a process that is ours
decides how it looks. A line names the request or the connection that it is
about. Queries, bodies, headers and paths with ids in them go into no line.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

from tocsin.engine.current import CONNECTION, log_name
from tocsin.rest.requests import ACCESS, REQUEST_ID
from tocsin.settings import Settings

# What a record may bring besides its text; whatever else a library adds to its own stays out.
_FIELDS = ("connection", "method", "route", "status", "duration_ms")
# A JWT, wherever it comes from: the text of somebody's exception may hold one.
_TOKEN = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?")


def configure_logs(settings: Settings, *, worker: int | None = None) -> None:
    """
    Send every log record of this process to stderr.

    Args:
        settings: Say how.
        worker: Which of several this process is; each record names it.
    """
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(allow=_FIELDS),
        _add_context,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if worker is not None:
        shared.append(lambda _logger, _method, event: {**event, "worker": worker})
    # Tracebacks stay plain: the local variables of a rich one hold tokens, texts and the secret.
    last: list[Processor]
    if settings.log_format == "json":
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    else:
        last = [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last, _without_tokens],
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    ACCESS.setLevel(logging.INFO if settings.access_log == "on" else logging.WARNING)
    # Its start and stop lines repeat ours; what it warns of stays.
    uvicorn = logging.getLogger("uvicorn.error")
    uvicorn.setLevel(logging.WARNING)
    uvicorn.addFilter(_is_ours)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _is_ours(record: logging.LogRecord) -> bool:
    # Warnings of one request that is no HTTP: any stranger could fill the log with them.
    return not record.getMessage().startswith(("Invalid HTTP request", "Unsupported upgrade request"))


def _add_context(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Name the request or the connection that is being worked for."""
    request_id, connection = REQUEST_ID.get(), CONNECTION.get()
    if request_id:
        event["request_id"] = request_id
    if connection is not None and "connection" not in event:
        event["connection"] = log_name(connection)
    return event


def _without_tokens(_logger: object, _method: str, line: str | bytes | bytearray | Mapping[str, Any]) -> str:
    """Take tokens out of a finished line."""
    return _TOKEN.sub("[token]", str(line))
