"""
Logs of the server process: stdlib records, shown for people or as JSON lines.

Library code logs by the standard library alone; only a process that is ours
decides how it looks. No request is logged: queries and headers hold what must
not be in a log.
"""

import logging
import sys

import structlog
from structlog.typing import Processor

from tocsin.settings import Settings


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
            foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last]
        )
    )
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    # Its start and stop lines repeat ours; what it warns of stays.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
