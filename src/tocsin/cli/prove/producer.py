"""
A back end that posts notifications and insists until each is acknowledged.

It repeats a post under the same ``Idempotency-Key`` until a 2xx comes, as
delivery.md 7 tells back ends to do.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator

from tocsin.cli.prove.http import Http, HttpError
from tocsin.cli.prove.journal import Acked, Journal, Sent
from tocsin.cli.prove.route import Address

RETRY_S = 0.05
HOME_EVERY = 50


class Producer:
    """
    One of several back ends that post at the same time.

    Args:
        name: Its keys begin with it: two of one name post the same.
        http: Its connection; it goes home again and again, as a balancer spreads requests.
        journal: Where it writes what it sent and what was acknowledged.
        users: Posted to in turn.
        token: A token with the scope ``publish``.
        on_ack: Called with key and user after each acknowledgement.

    Attributes:
        retries: Posts repeated.
        acked_at: Acknowledgements by the node that gave them.
    """

    def __init__(
        self,
        name: str,
        http: Http,
        journal: Journal,
        *,
        users: list[str],
        token: str,
        on_ack: Callable[[str, str], None],
    ) -> None:
        self.retries = 0
        self.acked_at: Counter[Address] = Counter()
        self._name = name
        self._http = http
        self._journal = journal
        self._users: Iterator[str] = itertools.cycle(users)
        self._token = token
        self._on_ack = on_ack
        self._posts = 0

    async def run(self, may_post: Callable[[], Awaitable[bool]]) -> None:
        """
        Post one after the other for as long as ``may_post`` says yes.

        Raises:
            RuntimeError: The server refused a post for good.
        """
        while await may_post():
            await self.post(next(self._users))

    async def post(self, user: str) -> str:
        """Post and journal one notification; return its id."""
        key = f"{self._name}-{self._posts}"
        self._posts += 1
        if self._posts % HOME_EVERY == 0:
            self._http.go_home()
        self._journal.write(Sent(key, user))
        notification_id = await self._insist(key, user)
        self._journal.write(Acked(key, user, notification_id))
        self._on_ack(key, user)
        return notification_id

    async def _insist(self, key: str, user: str) -> str:
        body = {"user_id": user, "type": "prove", "title": "Proof", "message": f"종소리 {key} 🔔", "data": {"key": key}}
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        while True:
            try:
                answer = await self._http.request("POST", "/api/notifications", body, headers)
            except HttpError:
                pass
            else:
                if answer.status == 201:
                    self.acked_at[self._http.address] += 1
                    notification_id: str = answer.json()["id"]
                    return notification_id
                if answer.status not in (409, 429, 503, 507):
                    raise RuntimeError(f"POST was answered {answer.status}: {answer.body[:500]!r}")
                # A balancer gives the next try to another node.
                if answer.status == 503:
                    self._http.turn()
            self.retries += 1
            await asyncio.sleep(RETRY_S)
