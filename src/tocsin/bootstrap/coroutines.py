"""What sync hosts call, as coroutines for the service's own loop: the same arguments, the same answers."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import orjson

from tocsin import bridge
from tocsin.application.activity import Activity
from tocsin.application.chat import Chat
from tocsin.application.drafts import draft_event, draft_message, draft_notification
from tocsin.application.fan_out import FanOut
from tocsin.application.notifications import Notifications
from tocsin.application.ports import Store
from tocsin.application.push import Push, draft_push
from tocsin.domain.notification import Priority
from tocsin.domain.push import DEFAULT_TTL_S
from tocsin.domain.user_id import parse_user_id
from tocsin.settings import Settings

AnyId = int | str

_log = logging.getLogger(__name__)


class Coroutines:
    """
    The functions of sync hosts as coroutines, on what ``Core`` is made of.

    Each returns after the commit, which comes after all that this loop handed over
    by ``broadcast_*`` before.
    """

    settings: Settings
    store: Store
    notifications: Notifications
    activity: Activity
    chat: Chat
    push: Push
    fan_out: FanOut

    async def create_notification(
        self,
        user_id: AnyId,
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
        collapse_key: str | None = None,
        group: Mapping[str, Any] | None = None,
        template: str | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """
        Store a notification and deliver it to every device of its user.

        Args:
            user_id: Whose inbox.
            type: What it is about, for the page; 1 to 64 characters.
            title: 1 to 200 characters, shown as text.
            message: Up to 4,000 characters, shown as text.
            data: Whatever the page needs, up to 16 KiB as JSON; instants are written in UTC.
            category: For filters and counts; up to 64 characters.
            priority: ``low``, ``normal``, ``high`` or ``urgent``.
            sound: Its name for the page; up to 128 characters.
            ttl_s: Seconds after which it disappears.
            expires_at: Instead: when it disappears; a naive instant is taken as UTC.
            collapse_key: It takes the place of the user's notification of the same key.
            group: ``{"key": …, "actor": {"id": …, "name": …}}``: it joins the user's unread card of the key,
                and its actor counts once.
            template: The name of words that stand in the place of ``title`` and ``message``, in the
                user's language; these two are used where there are none of that name.
            params: What the template is filled with.

        Returns:
            The notification as ``POST /api/notifications`` answers it.

        Raises:
            Invalid: A field breaks a rule; the detail names it.
            PayloadTooBig: ``data`` exceeds its limit.
            Overloaded: The database takes no work now, or did not answer: it may have been stored.
            StorageFull: The disk is full; nothing was stored.
            NotInitialized: The service has not started.
        """
        draft = draft_notification(
            user_id,
            {
                "type": type,
                "title": title,
                "message": message,
                "data": data,
                "category": category,
                "priority": priority,
                "sound": sound,
                "ttl_s": ttl_s,
                "expires_at": expires_at,
                "collapse_key": collapse_key,
                "group": group,
                "template": template,
                "params": params,
            },
        )
        await self._calls_before()
        return (await self.notifications.create(draft)).json()

    async def notify_topic(
        self,
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
        Notify all who follow a topic, as ``services.topics.notify_topic`` does.

        Returns:
            The job as ``GET /api/jobs/{id}`` answers it, once it is committed.

        Raises:
            TocsinError: As there.
        """
        fields: dict[str, Any] = {"type": type, "title": title, "message": message, "data": data}
        fields |= {"category": category, "priority": priority, "sound": sound, "ttl_s": ttl_s, "expires_at": expires_at}
        # Of everybody who follows it: the user of this draft means nothing.
        return (await self.fan_out.publish(topic, draft_notification(0, fields))).json()

    async def publish(
        self,
        namespace: str,
        event: str,
        user_id: AnyId | Sequence[AnyId],
        data: Mapping[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        """
        Deliver an event of ``/sns`` or ``/orders`` to every device of users, on any node.

        ``user_online`` and ``user_offline`` are not stored: they reach who is connected.

        Args:
            namespace: ``/sns`` or ``/orders``.
            event: One that a back end may publish there, such as ``order_updated``.
            user_id: Who hears it: one user, or up to 1,000.
            data: Fields of the event, at most 64 KiB as JSON; a naive instant is taken as UTC.

        Returns:
            The events as ``GET /api/stream`` lists them, with user and namespace.

        Raises:
            Invalid: No such event, or a wrong field; the detail names it.
            PayloadTooBig: ``data`` exceeds the limit.
            Overloaded: The database takes no work now, or did not answer: it may have been stored.
            StorageFull: The disk is full; nothing was stored.
            NotInitialized: The service has not started.
        """
        users = [user_id] if isinstance(user_id, int | str) else list(user_id)
        _, draft = draft_event(namespace, event, users, data, self.settings.lang)
        await self._calls_before()
        told = await self.activity.publish(namespace, event, draft.user_ids, orjson.loads(draft.payload))
        return [one.addressed_record(self.store.epoch) for one in told]

    async def send_message(
        self, from_user_id: AnyId, to_user_id: AnyId, message: str, client_msg_id: str | None = None
    ) -> dict[str, Any]:
        """
        Store a message and deliver it to both users' devices, on any node.

        A ``ChatMessage`` of the same users and text that a session has saved in the
        last minute is this message, and nothing is made twice.

        Args:
            from_user_id: Who says it.
            to_user_id: Who hears it.
            message: 1 to 8,000 characters.
            client_msg_id: The same id of one sender is one message, however often it is sent.

        Returns:
            The message as clients see it.

        Raises:
            Invalid: The text or a user breaks a rule.
            KeyReused: The ``client_msg_id`` was used for another message.
            Overloaded: The database takes no work now, or did not answer: it may have been stored.
            StorageFull: The disk is full; nothing was stored.
            NotInitialized: The service has not started.
        """
        draft = draft_message(from_user_id, to_user_id, message, client_msg_id, adopts_saved=True)
        await self._calls_before()
        return (await self.chat.send(draft)).json()

    async def send_push(
        self,
        user_id: AnyId,
        title: str,
        message: str,
        data: Mapping[str, Any] | None = None,
        *,
        collapse_key: str | None = None,
        ttl_s: int = DEFAULT_TTL_S,
        priority: Priority = "normal",
        badge: int | None = None,
        link: str | None = None,
    ) -> int:
        """
        Send a push to all that a user registered, as ``services.fcm_service.send_push`` does.

        Returns:
            How many devices' and browsers' providers took it.

        Raises:
            Invalid: A field breaks a rule; the detail names it.
            PayloadTooBig: ``data`` exceeds its limit.
            Overloaded: The database takes no work now; nothing was sent.
            NotInitialized: The service has not started.
        """
        user = parse_user_id(user_id)
        push = draft_push(
            title, message, data, collapse_key=collapse_key, ttl_s=ttl_s, priority=priority, badge=badge, link=link
        )
        if self.settings.firebase_credentials_path is None:
            say_once("no push goes to devices: set FIREBASE_CREDENTIALS_PATH to the key file of your Firebase project")
        return (await self.push.send(user, push)).sent

    async def _calls_before(self) -> None:
        """Keep the order: what this loop handed over waits in a queue, and would be overtaken."""
        here = bridge.find()
        if here is not None and here.core is self:
            await here.flush()


@cache
def say_once(text: str) -> None:
    """Warn once a process."""
    _log.warning(text)
