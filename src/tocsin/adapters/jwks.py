"""
The keys of a token issuer, fetched from its JSON Web Key Set (RFC 7517) and kept up to date.

What a token says chooses one of these keys by its ``kid``, and nothing else:
``jku``, ``x5u`` and ``jwk`` are not looked at. How a set is fetched is told in
``jwks_fetch``, which of its keys are used in ``signing_keys``.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import jwt

from tocsin.adapters.jwks_fetch import NotFetched, fetch
from tocsin.adapters.signing_keys import SigningKey, UnusableKey, keys_of_jwks
from tocsin.domain.errors import KeyUnknown, Overloaded, Unauthenticated

REFRESH_S = 600.0
# Whoever sends tokens with made-up kids decides how often somebody asks for a new set.
LEAST_BETWEEN_S = 10.0

Fetch = Callable[[str], Awaitable[bytes]]

_log = logging.getLogger(__name__)


class KeySet:
    """
    The public keys of one issuer. Belongs to the event loop's thread.

    They are asked for at the start, every ``REFRESH_S`` seconds, and when a token names one that is
    unknown or does not fit it: then at most every ``LEAST_BETWEEN_S`` seconds and once for all who wait, so
    that a flood of made-up kids or signatures is no flood of requests. A set that can't be fetched
    or read changes nothing: the last good one stays. A key that the issuer has
    taken out of its set verifies nothing from the next fetch on.

    Args:
        url: Where the set is.
        fetch: Returns the body of the set, or raises NotFetched.
        clock: Monotonic seconds.

    Attributes:
        on_change: Called when the keys are others than before.
        fetches: How often the issuer was asked.
    """

    def __init__(self, url: str, *, fetch: Fetch = fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str | None, SigningKey] = {}
        self._asked_at = -LEAST_BETWEEN_S
        self._asking: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self.on_change: Callable[[], None] = lambda: None
        self.fetches = 0

    def find(self, token: str) -> SigningKey:
        """
        Return the key that a token names; one that names none means the only key there is.

        Raises:
            KeyUnknown: Nobody has asked the issuer for it lately.
            Unauthenticated: The issuer has no such key.
            Overloaded: No set could be fetched yet.
        """
        kid = jwt.get_unverified_header(token).get("kid")
        key = self._keys.get(kid)
        if key is None and kid is None and len(self._keys) == 1:
            key = next(iter(self._keys.values()))
        if key is not None:
            return key
        if self._may_ask():
            raise KeyUnknown("the token is signed by an unknown key", self.look)
        if not self._keys:
            raise Overloaded("the keys of the tokens' issuer can't be fetched", retry_after_s=max(1.0, self._wait_s()))
        raise Unauthenticated("the token is signed by an unknown key")

    def doubt(self) -> None:
        """
        Say that a token was not signed by the key that it names: its issuer may have another of that name by now.

        Raises:
            KeyUnknown: Nobody has asked the issuer for it lately.
        """
        if self._may_ask():
            raise KeyUnknown("the token's signature is wrong", self.look)

    def _may_ask(self) -> bool:
        return self._asking is not None or self._wait_s() <= 0

    def _wait_s(self) -> float:
        return self._asked_at + LEAST_BETWEEN_S - self._clock()

    async def look(self) -> None:
        """Ask the issuer for its keys, together with whoever asks already; never raises for its answer."""
        if self._asking is None:
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._ask(), name="tocsin-jwks")
        # Whoever waits may be cancelled; the others wait on.
        await asyncio.shield(self._asking)

    def start(self) -> None:
        """Ask now and again and again."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh(), name="tocsin-jwks-refresh")

    async def stop(self) -> None:
        """Ask no more."""
        tasks = [task for task in (self._refreshing, self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._refreshing = None

    async def _refresh(self) -> None:
        while True:
            await self.look()
            # Without any key nobody gets in: then sooner.
            await asyncio.sleep(REFRESH_S if self._keys else LEAST_BETWEEN_S)

    async def _ask(self) -> None:
        self.fetches += 1
        try:
            keys = keys_of_jwks(await self._fetch(self._url))
        except (NotFetched, UnusableKey) as error:
            kept = f"{len(self._keys)} keys of before stay" if self._keys else "no token can be verified"
            _log.warning("TOCSIN_JWKS_URL: %s; %s", error, kept)
            return
        except Exception:  # noqa: BLE001 logged: whatever an issuer says must not end all looks to come
            _log.exception("TOCSIN_JWKS_URL: its answer could not be read")
            return
        finally:
            self._asking = None
        if {kid: key.text for kid, key in keys.items()} != {kid: key.text for kid, key in self._keys.items()}:
            _log.info("TOCSIN_JWKS_URL: %d keys", len(keys))
            self._keys = keys
            self.on_change()
