"""Browsers that take pushes, and what their service workers report. Nothing is sent here."""

import builtins
import time
from collections.abc import Callable

from tocsin.application.once import Once
from tocsin.application.ports import PushEndpoints, PushKeyring, Store
from tocsin.application.rate_limits import EventLimit
from tocsin.domain.errors import Invalid
from tocsin.domain.rate import Rate
from tocsin.domain.text import check_text
from tocsin.domain.user_id import UserId
from tocsin.domain.web_push import (
    AUTH,
    MAX_ENDPOINT,
    MAX_RECEIPTS_A_MINUTE,
    MAX_USER_AGENT,
    P256DH,
    ReceiptEvent,
    WebPushDraft,
    WebPushSubscription,
    from_base64url,
    is_public_key,
    read_receipt,
)

_RECEIPTS = Rate(MAX_RECEIPTS_A_MINUTE, 60.0)


class WebPush:
    """
    Use-cases of Web Push. Belongs to the event loop's thread.

    A write returns after it is committed. No refusal tells an endpoint or a key.

    Args:
        store: Keeps subscriptions.
        endpoints: Judges where they lead to.
        keyring: What is pushed with.
        most: Subscriptions that one user may have.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        store: Store,
        endpoints: PushEndpoints,
        keyring: PushKeyring,
        most: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._endpoints = endpoints
        self._keyring = keyring
        self._most = most
        self._receipts = EventLimit(lambda: _RECEIPTS, clock)

    async def public_key(self) -> str:
        """Return the ``applicationServerKey`` that browsers subscribe with."""
        return await self._keyring.public_key()

    async def subscribe(self, draft: WebPushDraft, once: Once | None = None) -> WebPushSubscription:
        """
        Keep a subscription, or renew it; pages do so at every visit.

        An endpoint is one browser. Subscribed again by its user, its keys are those
        given now. Subscribed by another user it is theirs from now on, as a new
        subscription: what is meant for the former user must not appear there.

        One more than the limit replaces the one not seen for longest.

        Raises:
            Invalid: A field breaks a rule, or pushes may not go there.
            Overloaded: The name of the push service can't be resolved now.
            KeyReused: ``once`` was used for another request.
        """
        check_subscription(draft)
        await self._endpoints.check(draft.endpoint)
        return await self._store.save_web_push(draft, self._most, once)

    async def unsubscribe(self, user_id: UserId, endpoint: str, once: Once | None = None) -> None:
        """
        Remove one of the user's own subscriptions.

        Raises:
            NotFound: The user has no such subscription; another's answers the same.
        """
        await self._store.delete_web_push(user_id, endpoint, once)

    async def list(self, user_id: UserId) -> builtins.list[WebPushSubscription]:
        """Return the user's subscriptions, the one seen last first."""
        return await self._store.list_web_push(user_id)

    async def receive(self, receipt: str, event: ReceiptEvent = "shown") -> None:
        """
        Take the proof of a service worker that a push arrived: its browser is seen now, and the trace tells of it.

        The signature of the receipt is all the right that is needed. Once more is as
        once; of a subscription that is no more nothing is kept.

        Raises:
            Forbidden: This installation gave out no such receipt.
            RateLimited: Too many for one subscription.
        """
        subscription_id, notification_id = read_receipt((await self._keyring.keys()).receipt_key, receipt)
        self._receipts.forget_idle()
        self._receipts.spend(UserId(subscription_id))
        await self._store.see_web_push(subscription_id, notification_id, event)


def check_subscription(draft: WebPushDraft) -> None:
    """
    Check the rules that hold for every caller, in any thread; not where the endpoint leads to.

    Raises:
        Invalid: A field breaks a rule; the detail names it and tells no secret.
    """
    endpoint: object = draft.endpoint
    if not isinstance(endpoint, str) or not endpoint.startswith(("https://", "http://")):
        raise Invalid("endpoint must be an https URL")
    if len(endpoint) > MAX_ENDPOINT or not endpoint.isascii():
        raise Invalid(f"endpoint must have at most {MAX_ENDPOINT} ASCII characters")
    if not _is_text(draft.p256dh) or not P256DH.fullmatch(draft.p256dh) or not is_public_key(draft.p256dh):
        raise Invalid("keys.p256dh must be an uncompressed point of the curve P-256 in base64url")
    if not _is_text(draft.auth) or not AUTH.fullmatch(draft.auth) or not _is_base64url(draft.auth):
        raise Invalid("keys.auth must be 16 bytes in base64url")
    if draft.user_agent is not None:
        check_text("user_agent", draft.user_agent, MAX_USER_AGENT)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_base64url(text: str) -> bool:
    try:
        from_base64url(text)
    except ValueError:
        return False
    return True
