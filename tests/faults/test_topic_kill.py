"""SIGKILL of a server in the middle of a topic's notifications: everybody gets one, nobody two."""

import asyncio
import signal
import sqlite3
from contextlib import suppress

import httpx
import pytest

from tests.acceptance.wire_socket import eventually
from tests.conftest import SECRET
from tests.processes import environment, serving
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

FOLLOWERS = 4_000
KILLS = 5


def bearer(user, scope=""):
    settings = Settings(_env_file=None, jwt_secret=SECRET)
    return {"Authorization": f"Bearer {issue_token(settings, UserId(user), ttl_s=3600, scope=scope)}"}


async def test_a_kill_in_the_middle_loses_and_doubles_nothing(tmp_path):
    """Killed in the moment in which a part is committed and nobody knows; the job goes on where it was."""
    path = tmp_path / "t.db"
    users = [f"u-{number:05}" for number in range(FOLLOWERS)]
    store = SqliteStore(str(path))
    await store.start()
    await asyncio.gather(*[store.subscribe_topic(UserId(user), "news") for user in users])
    await store.stop()
    env = environment(path)
    body = {"topic": "news", "type": "t", "title": "T", "message": ""}
    once = {"Idempotency-Key": "1"}
    seen = [0]
    for _ in range(KILLS):
        async with serving(tmp_path, env | {"TOCSIN_FAILPOINT": "after_commit_before_emit:1"}) as (url, process):
            async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
                with suppress(httpx.TransportError):
                    await http.post("/api/notifications", json=body, headers=bearer("shop", "publish") | once)
            async with asyncio.timeout(20):
                assert -signal.SIGKILL == await process._process.wait()
    async with (
        serving(tmp_path, env) as (url, _),
        httpx.AsyncClient(base_url=url, trust_env=False, headers=bearer("shop", "publish")) as http,
    ):
        job = (await http.post("/api/notifications", json=body, headers=once)).json()["job"]

        async def is_done():
            found = (await http.get(f"/api/jobs/{job['id']}")).json()["job"]
            seen.append(found["done"])
            return found["state"] == "done"

        await eventually(is_done)
    with sqlite3.connect(path) as connection:
        each = connection.execute("SELECT count(*) FROM tocsin_notification GROUP BY user_id").fetchall()
    connection.close()

    assert [(1,)] * FOLLOWERS == each
    assert (sorted(seen), FOLLOWERS) == (seen, seen[-1])
    assert KILLS * 500 <= seen[1], "the kills came before anything was committed"
