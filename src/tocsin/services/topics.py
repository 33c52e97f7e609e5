"""
Notifications to all who follow a topic, for sync code.

All functions are safe from any thread of any process; in async code: ``service.fan_out``. Who follows
what is in ``tocsin.services.fcm_service``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tocsin.application.drafts import draft_notification
from tocsin.bootstrap import bridge_here
from tocsin.domain.notification import Priority


def notify_topic(
    topic: str,
    type: str,  # noqa: A002 the field's name, as in REST
    title: str,
    message: str,
    data: Mapping[str, Any] | None = None,
    *,
    category: str | None = None,
    priority: Priority = "normal",
    sound: str | None = None,
    ttl_s: float | None = None,
    expires_at: datetime | str | None = None,
) -> dict[str, Any]:
    """
    Notify all who follow a topic, each once, and return as soon as the job for it is committed.

    The server makes the notifications, 500 followers at a time; after a crash it goes on where it was.

    Args:
        topic: 1 to 900 of the characters ``a-z A-Z 0-9 - _ . ~ %``.
        type: What it is about, for the page; this and all that follows as in ``create_notification``.
        title: 1 to 200 characters, shown as text.
        message: Up to 4,000 characters, shown as text.
        data: Whatever the page needs, up to 16 KiB as JSON.
        category: For filters, counts and the push ladder.
        priority: ``low``, ``normal``, ``high`` or ``urgent``.
        sound: Its name for the page.
        ttl_s: Seconds after which each disappears, from now.
        expires_at: Instead: when they disappear; a naive instant is taken as UTC.

    Returns:
        The job as ``GET /api/jobs/{id}`` answers it.

    Raises:
        Invalid: The topic or a field breaks a rule; the detail names it.
        PayloadTooBig: ``data`` exceeds its limit.
        Overloaded: The database takes no work now, or did not answer: it may have been stored.
        StorageFull: The disk is full; nothing was stored.
        NotInitialized: This process knows no database.
    """
    # Before it is handed over: its data is the caller's to change as soon as this returns.
    fields: dict[str, Any] = {"type": type, "title": title, "message": message, "data": data}
    fields |= {"category": category, "priority": priority, "sound": sound, "ttl_s": ttl_s, "expires_at": expires_at}
    draft = draft_notification(0, fields)
    return bridge_here().ask(lambda core: core.fan_out.publish(topic, draft)).json()


def get_job(job_id: str) -> dict[str, Any]:
    """
    Return how far a job is: ``{id, topic, state: running | done, total, done, created_at, finished_at}``.

    Raises:
        NotFound: There is no such job, or it ended more than a week ago.
        Overloaded: The database takes no work now.
        NotInitialized: This process knows no database.
    """
    return bridge_here().ask(lambda core: core.fan_out.get(job_id)).json()
