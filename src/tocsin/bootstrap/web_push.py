"""Web Push put together: who may subscribe where, and the sender, opened by the first push."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tocsin.adapters.push_endpoints import PushEndpoints
from tocsin.adapters.vapid import VapidKeyring
from tocsin.application.ports import Store
from tocsin.application.push import Route
from tocsin.application.web_push import WebPush
from tocsin.domain.push import Outcome, PushMessage
from tocsin.domain.web_push import WebPushSubscription
from tocsin.settings import Settings

if TYPE_CHECKING:
    from tocsin.adapters.web_push import WebPushSender

MISSING = "the package of Web Push is missing: pip install 'tocsin[webpush]'"


class OpenedWebPush(NamedTuple):
    """The use-cases, and the route by which ``Push`` sends."""

    use_cases: WebPush
    route: Route[WebPushSubscription]


def open_web_push(settings: Settings, store: Store) -> OpenedWebPush:
    """Return Web Push over a store that need not have started."""
    endpoints = PushEndpoints(settings.webpush_hosts)
    keyring = VapidKeyring(store, settings.vapid_subject)
    use_cases = WebPush(store, endpoints, keyring, settings.limit_user_devices)
    sender = SenderWhenNeeded(endpoints, keyring)
    return OpenedWebPush(
        use_cases,
        Route(
            sender,
            store.list_web_push,
            store.drop_web_push,
            channel="webpush",
            label=lambda subscription: subscription.host,
            retract=sender.retract,
        ),
    )


class SenderWhenNeeded:
    """
    The sender, imported by the first push to a browser: it takes half a second, which few processes need.

    Where its package, an extra, is missing, each push is refused and told how to mend it.
    """

    def __init__(self, endpoints: PushEndpoints, keyring: VapidKeyring) -> None:
        self._endpoints = endpoints
        self._keyring = keyring
        self._sender: WebPushSender | None = None
        self._opening = asyncio.Lock()
        self._has_stopped = False

    async def start(self) -> None:
        """Nothing is needed yet."""

    async def stop(self) -> None:
        """Close what the first push opened; a try that comes later opens nothing again."""
        self._has_stopped = True
        async with self._opening:
            if self._sender is not None:
                await self._sender.stop()
                self._sender = None

    async def send(self, message: PushMessage, targets: Sequence[WebPushSubscription]) -> list[Outcome]:
        """Try each browser once."""
        return await self._do(lambda sender: sender.send(message, targets), len(targets))

    async def retract(self, tags: Sequence[str], targets: Sequence[WebPushSubscription]) -> list[Outcome]:
        """Take back from each browser what it still shows."""
        return await self._do(lambda sender: sender.retract(tags, targets), len(targets))

    async def _do(self, send: Callable[["WebPushSender"], Awaitable[list[Outcome]]], targets: int) -> list[Outcome]:
        try:
            sender = await self._open()
        except ImportError:
            return [Outcome("refused", MISSING)] * targets
        if sender is None:
            # Not for good: another process, or the next life of this one, can.
            return [Outcome("retry", "the server stops")] * targets
        return await send(sender)

    async def _open(self) -> "WebPushSender | None":
        async with self._opening:
            if self._sender is None and not self._has_stopped:
                # Off the loop, whose sockets would wait for it.
                kind = await asyncio.to_thread(_import_sender)
                sender = kind(self._endpoints, self._keyring)
                await sender.start()
                self._sender = sender
            return self._sender


def _import_sender() -> "type[WebPushSender]":
    from tocsin.adapters.web_push import WebPushSender  # noqa: PLC0415 an extra, and slow to import

    return WebPushSender
