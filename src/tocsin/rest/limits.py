"""
How many requests a principal and an address may make, and the headers that tell what is left.

Whoever publishes has a bucket of its own, by its token's subject, and its address
does not count: a back end's thousands come from one. Every other request spends
from its user's bucket and from its address's, and one without a good token from
the address's alone. Headers as draft-ietf-httpapi-ratelimit-headers names them.
"""

import math
import time
from collections.abc import Callable

from starlette.types import Scope

from tocsin.application.rate_limits import EventLimit, RateLimits
from tocsin.domain.errors import RateLimited
from tocsin.domain.principal import Principal
from tocsin.domain.rate import Rate, parse_rate
from tocsin.domain.user_id import UserId
from tocsin.engine.proxies import TrustedProxies, network_of
from tocsin.settings import Settings

NAMESPACE = "/:requests"

RawHeaders = list[tuple[bytes, bytes]]


class Bucket:
    """
    One policy: its limit, and how it is told.

    Args:
        name: What clients see of it.
        limit: Counts.
        rate: The rate of that.
    """

    def __init__(self, name: str, limit: EventLimit, rate: Rate) -> None:
        self._limit = limit
        self._name = name.encode()
        self._policy = (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (self._name, rate.count, math.ceil(rate.period_s)))

    def spend(self, who: UserId) -> None:
        """Count one request, or raise Exceeded."""
        try:
            self._limit.spend(who)
        except RateLimited as error:
            raise Exceeded("too many requests", self.headers(who), retry_after_s=error.retry_after_s) from None

    def headers(self, who: UserId) -> RawHeaders:
        """Return the policy, and how many requests are left until it is whole again."""
        left, full_in_s = self._limit.left(who)
        return [self._policy, (b"ratelimit", b'"%b";r=%d;t=%d' % (self._name, left, math.ceil(full_in_s)))]


class RequestLimits:
    """
    The three policies of REST. Belongs to the event loop's thread.

    Args:
        limits: Holds those that nodes share; that of publishers is each node's own.
        proxies: Whose forwarding headers are believed.
        user: Requests of one user.
        publisher: Requests of one subject with the scope ``publish``.
        address: Requests of one remote address, or of one /64 of IPv6, which is what one customer gets.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        limits: RateLimits,
        proxies: TrustedProxies,
        *,
        user: Rate,
        publisher: Rate,
        address: Rate,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proxies = proxies
        for name, rate in (("user", user), ("address", address)):
            limits.set_rate(NAMESPACE, name, lambda rate=rate: rate)  # type: ignore[misc]
        self._user = Bucket("user", limits.of(NAMESPACE, "user"), user)
        self._address = Bucket("address", limits.of(NAMESPACE, "address"), address)
        self._publisher = Bucket("publisher", EventLimit(lambda: publisher, clock), publisher)

    @classmethod
    def from_settings(cls, settings: Settings, limits: RateLimits, proxies: TrustedProxies) -> "RequestLimits":
        """Return them as the settings say."""
        return cls(
            limits,
            proxies,
            user=parse_rate(settings.limit_user_requests),
            publisher=parse_rate(settings.limit_publisher_requests),
            address=parse_rate(settings.limit_address_requests),
        )

    def spend(self, scope: Scope, principal: Principal | None) -> RawHeaders:
        """
        Count one request, of an address alone where it has no good token; return the headers of its answer.

        Raises:
            Exceeded: It is one too many.
        """
        if principal is not None and "publish" in principal.scopes:
            self._publisher.spend(principal.user_id)
            return self._publisher.headers(principal.user_id)
        address = self._address_of(scope)
        if address is not None:
            self._address.spend(address)
        if principal is not None:
            self._user.spend(principal.user_id)
            return self._user.headers(principal.user_id)
        return [] if address is None else self._address.headers(address)

    def client(self, scope: Scope) -> str:
        """Return the address that a request comes from, behind trusted proxies; empty on a Unix socket."""
        peer = _peer(scope)
        forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        return self._proxies.client(peer, b",".join(forwarded).decode("latin-1")) if forwarded else peer

    def _address_of(self, scope: Scope) -> UserId | None:
        """Return whom a request counts for; None: a proxy or the operator, on a trusted address."""
        peer, host = _peer(scope), self.client(scope)
        return None if host == peer and self._proxies.trusts(peer) else UserId(network_of(host))


def _peer(scope: Scope) -> str:
    client = scope["client"]
    return str(client[0]) if client else ""


class Exceeded(RateLimited):
    """
    Too many requests.

    Args:
        headers: Of its answer.
    """

    def __init__(self, detail: str, headers: RawHeaders, *, retry_after_s: float | None) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.headers = headers
