"""
A back end that posts notifications and insists until each is acknowledged.

It repeats a post under the same ``Idempotency-Key`` until a 2xx comes, as
delivery.md 7 tells back ends to do.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator

from tocsin.cli.prove.http import Http, HttpError
from tocsin.cli.prove.journal import Acked, Journal, Sent

RETRY_S = 0.05


class Producer:
    """
    One of several back ends that post at the same time.

    Args:
        name: Unique over the run; keys begin with it.
        http: Its connection.
        journal: Where it writes what it sent and what was acknowledged.
        users: Posted to in turn.
        token: A token with the scope ``publish``.
        on_ack: Called after each acknowledgement.
    """

    def __init__(
        self, name: str, http: Http, journal: Journal, *, users: list[str], token: str, on_ack: Callable[[], None]
    ) -> None:
        self.retries = 0
        self._name = name
        self._http = http
        self._journal = journal
        self._users: Iterator[str] = itertools.cycle(users)
        self._token = token
        self._on_ack = on_ack

    async def run(self, posts: int) -> None:
        """
        Post and journal ``posts`` notifications, one after the other.

        Raises:
            RuntimeError: The server refused a post for good.
        """
        for number in range(posts):
            key, user = f"{self._name}-{number}", next(self._users)
            self._journal.write(Sent(key, user))
            self._journal.write(Acked(key, user, await self._post(key, user)))
            self._on_ack()

    async def _post(self, key: str, user: str) -> str:
        body = {"user_id": user, "type": "prove", "title": "Proof", "message": f"종소리 {key} 🔔", "data": {"key": key}}
        headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
        while True:
            try:
                answer = await self._http.request("POST", "/api/notifications", body, headers)
            except HttpError:
                pass
            else:
                if answer.status == 201:
                    notification_id: str = answer.json()["id"]
                    return notification_id
                if answer.status not in (409, 429, 503, 507):
                    raise RuntimeError(f"POST was answered {answer.status}: {answer.body[:500]!r}")
            self.retries += 1
            await asyncio.sleep(RETRY_S)
