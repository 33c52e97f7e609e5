"""
Tokens that count no more: who may not come in again, and who has to leave.

The database is the truth: it is read at the start, when another node says that
there is something new, and every ``SWEEP_S`` seconds, so that a revocation holds
everywhere within five seconds whether nodes hear of each other or not. Checking
a token costs two look-ups in memory.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from tocsin.application.ports import Bus, TokenVerifier
from tocsin.application.rounds import Rounds
from tocsin.domain.errors import Invalid, Unauthenticated
from tocsin.domain.jitter import jitter
from tocsin.domain.principal import Principal
from tocsin.domain.revocation import KEPT_MS, Kind, Revocation, check_token_id
from tocsin.domain.timestamp import now_ms
from tocsin.domain.user_id import UserId

NAMESPACE = "/:revocations"
SWEEP_S = 2.5
# Other nodes' clocks, and their transactions that take long, may be this far behind. Beyond it the next reload finds
# what was missed.
OVERLAP_MS = 300_000
RELOAD_S = 600.0
# Whoever can say on the bus that there is something new must not keep the database busy.
LEAST_BETWEEN_S = 0.1


class RevocationStore(Protocol):
    """Keeps revocations until they expire."""

    async def save(self, revocation: Revocation) -> None:
        """Keep one in place of an earlier one of the same name; the later instant counts, and the later expiry."""

    async def since(self, created_at: int, now: int) -> list[Revocation]:
        """Return those made at or after an instant that have not expired, the oldest first."""


class Revocations:
    """
    Verifies tokens as another verifier does, and refuses those that were revoked. Belongs to the event loop's thread.

    Args:
        tokens: Judges everything else about a token.
        store: Keeps revocations.
        bus: Hastens the other nodes.
        clock: Milliseconds since 1970.

    Attributes:
        on_revoked: Called with revocations that this node has not heard of before.
    """

    def __init__(
        self, tokens: TokenVerifier, store: RevocationStore, bus: Bus, *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._tokens = tokens
        self._store = store
        self._bus = bus
        self._clock = clock
        self._known: dict[Kind, dict[str, Revocation]] = {"user": {}, "token": {}}
        self._has_any = False
        self._newest = 0
        self._reload_at = 0.0
        self._rounds = Rounds("looking for revocations", self._look, longest_s=SWEEP_S, least_s=LEAST_BETWEEN_S)
        self.on_revoked: Callable[[Sequence[Revocation]], None] = lambda _: None

    def verify(self, token: object) -> Principal:
        """
        Return the token's principal.

        Raises:
            Unauthenticated: Anything about the token is wrong, or it was revoked.
        """
        principal = self._tokens.verify(token)
        if self._has_any and self.is_revoked(principal):
            raise Unauthenticated("the token was revoked")
        return principal

    def is_revoked(self, principal: Principal) -> bool:
        """Return whether the token counts no more; one of unknown age doesn't once its user's were revoked."""
        if principal.token_id in self._known["token"]:
            return True
        found = self._known["user"].get(principal.user_id)
        return found is not None and (principal.issued_at is None or principal.issued_at < found.valid_from)

    async def revoke_user(self, user_id: UserId, expires_at: int | None = None) -> Revocation:
        """
        Revoke every token of a user issued until now, for good.

        It is committed and holds on this node on return, on the others within five seconds.

        Args:
            user_id: Whose.
            expires_at: When the last of them will have expired, in milliseconds since 1970; None: in 400 days.

        Raises:
            Invalid: ``expires_at`` is over.
        """
        return await self._revoke(Revocation("user", user_id, *self._life(expires_at)))

    async def revoke_token(self, token_id: str, expires_at: int | None = None) -> Revocation:
        """
        Revoke the token of a ``jti``, as ``revoke_user`` does all of a user.

        Raises:
            Invalid: That is no ``jti`` that can be kept, or ``expires_at`` is over.
        """
        return await self._revoke(Revocation("token", check_token_id(token_id), *self._life(expires_at)))

    def _life(self, expires_at: int | None) -> tuple[int, int]:
        now = self._clock()
        if expires_at is not None and expires_at <= now:
            raise Invalid("expires_at is over: it is when the last of the tokens will have expired")
        return now, now + KEPT_MS if expires_at is None else expires_at

    async def _revoke(self, revocation: Revocation) -> Revocation:
        await self._store.save(revocation)
        self._learn([revocation])
        self._bus.publish_ephemeral(None, NAMESPACE, "revoked", {})
        return revocation

    def on_ephemeral(self, namespace: str) -> bool:
        """Look for what another node tells of; return whether the event was of this kind."""
        if namespace != NAMESPACE:
            return False
        self._rounds.hurry()
        return True

    async def start(self) -> None:
        """Read all there are, before anybody comes in, and begin to look for more."""
        await self._reload()
        self._rounds.start()

    async def stop(self) -> None:
        """Look no more."""
        await self._rounds.stop()

    async def _look(self) -> float:
        """Learn what is new; return how many seconds the next look may wait."""
        if time.monotonic() < self._reload_at:
            now = self._clock()
            # Not from a stamp that lies ahead: of a node whose clock is fast, or from before ours was set back.
            self._learn(await self._store.since(min(self._newest, now) - OVERLAP_MS, now))
        else:
            await self._reload()
        return jitter(SWEEP_S * 0.7, SWEEP_S)

    async def _reload(self) -> None:
        """Read all there are, and let go of what has expired."""
        self._reload_at = time.monotonic() + RELOAD_S
        now = self._clock()
        found = await self._store.since(0, now)
        for named in self._known.values():
            for one in [one for one in named.values() if one.expires_at <= now]:
                del named[one.name]
        self._learn(found)

    def _learn(self, found: Sequence[Revocation]) -> None:
        news = []
        for one in found:
            named = self._known[one.kind]
            if one.name not in named or named[one.name].created_at < one.created_at:
                named[one.name] = one
                news.append(one)
            self._newest = max(self._newest, one.created_at)
        self._has_any = any(self._known.values())
        if news:
            self.on_revoked(news)
