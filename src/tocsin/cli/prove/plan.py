"""How big a proof is; every fault makes its own of it."""

from dataclasses import dataclass, replace

DEVICES = 2
GENTLE_POSTS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """
    The load and the size of a fault.

    Attributes:
        posts: Notifications that all producers together post at least; they go
            on until the fault is over.
        producers: Back ends that post at once.
        clients: Connected clients.
        users: Whom the clients belong to, in turn; None: DEVICES clients a user.
        rate: Posts a second that all producers together make at most; None: as
            many as are answered.
        kills: SIGKILLs of fault 1, and how often others repeat what they do.
        resumes: Connections cut by fault 12.
        hold_s: Seconds that a fault with a duration lasts: a database that is
            stopped, a network that is split.
        seed: Of the moments that are drawn at random.
    """

    posts: int = 20_000
    producers: int = 8
    clients: int = 50
    users: int | None = None
    rate: float | None = None
    kills: int = 50
    resumes: int = 1_000
    hold_s: float = 60.0
    seed: int = 0

    @property
    def user_count(self) -> int:
        """Return how many users there are."""
        return self.users or max(1, self.clients // DEVICES)

    def gentle(self, rate: float) -> "Plan":
        """
        Return one for what is measured, or lasts: no more posts a second than that, and no longer than needed.

        At its limit a machine is slow for any reason.
        """
        return replace(self, rate=self.rate or rate, posts=min(self.posts, GENTLE_POSTS))


QUICK = Plan(posts=2_000, producers=4, clients=20, kills=3, resumes=60, hold_s=5.0)
