"""Two nodes on one PostgreSQL, one killed in the middle: the other goes on with it, and does nothing twice."""

import asyncio
import signal
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from tests.acceptance.test_workers import token
from tests.acceptance.wire_socket import eventually
from tests.processes import environment, serving
from tocsin.testing.fcm import HANG, FakeFcm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

USERS = 4_000
# The longest that a delivery is held for a node that has died, and a slow machine's share.
HELD_S = 60


def counts(url):
    """Return how many notifications each user has."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT user_id, count(*) FROM tocsin_notification GROUP BY user_id").fetchall()
    return dict(found)


def client(url, user, scope=""):
    headers = {"Authorization": f"Bearer {token(user, scope)}"}
    return httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False, timeout=30)


async def notify(shop, **body):
    answer = await shop.post("/api/notifications", json={"type": "t", "title": "T", "message": "", **body})
    assert answer.status_code in {201, 202}, answer.text
    return answer.json()


async def test_what_a_dead_node_was_at_is_done_by_the_other_once(tmp_path, postgres_url, redis_url):
    """A push under way, a job of thousands of users, and what is scheduled: each is there once after the kill."""
    with FakeFcm() as fcm:
        env = environment(
            tmp_path / "unused.db",
            TOCSIN_DATABASE_URL=postgres_url,
            TOCSIN_REDIS_URL=redis_url,
            FIREBASE_CREDENTIALS_PATH=str(fcm.write_key(tmp_path)),
            TOCSIN_FCM_URL=fcm.url,
            TOCSIN_PUSH_LADDER="urgent: push 0s; high: none; normal: none; low: none",
        )
        fcm.answer("t-phone", HANG)
        async with serving(tmp_path, env) as (url, dying):
            async with client(url, "phone") as phone:
                device = {"token": "t-phone", "platform": "android"}
                assert 201 == (await phone.post("/api/fcm/register-device", json=device)).status_code
            async with client(url, "shop", "publish") as shop, serving(tmp_path, env) as (other, _):
                await notify(shop, user_id="phone", priority="urgent")
                await eventually(lambda: fcm.requests["t-phone"])
                soon = (datetime.now(UTC) + timedelta(seconds=3)).isoformat()
                await notify(shop, user_id="later", deliver_at=soon)
                job = (await notify(shop, user_ids=[f"u-{n:05}" for n in range(USERS)]))["job"]
                await eventually(lambda: len(counts(postgres_url)) > 100)
                assert -signal.SIGKILL == await dying.stop(signal.SIGKILL)
                at_the_kill = len(counts(postgres_url))

                async with client(other, "shop", "publish") as left:

                    async def is_done():
                        return (await left.get(f"/api/jobs/{job['id']}")).json()["job"]["state"] == "done"

                    await eventually(is_done, HELD_S)
                await eventually(lambda: "later" in counts(postgres_url))
                await eventually(lambda: fcm.sent, HELD_S)
                await asyncio.sleep(2)

    assert {1} == set(counts(postgres_url).values())
    assert USERS + 2 == len(counts(postgres_url))
    assert at_the_kill < USERS, "the job was done before the kill"
    assert ["t-phone"] == [one["token"] for one in fcm.sent]
    assert 2 == fcm.requests["t-phone"], "one push that nobody answered, one by the other node"
