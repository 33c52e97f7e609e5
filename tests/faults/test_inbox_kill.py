"""SIGKILL of a server while snoozes end and schedules come due: each comes back once, and the badge is right."""

import asyncio
import datetime as dt
import signal
import time

import httpx
import pytest

from tests.acceptance.wire_socket import connected, eventually
from tests.conftest import SECRET
from tests.processes import environment, serving
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

INBOX = "/api/notifications"
EACH = 250
KILLS = 2


def token(user, scope=""):
    settings = Settings(_env_file=None, jwt_secret=SECRET)
    return issue_token(settings, UserId(user), ttl_s=3600, scope=scope)


def bearer(user, scope=""):
    return {"Authorization": f"Bearer {token(user, scope)}"}


def soon(seconds):
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat()


async def fill(http):
    """Snooze and schedule what will be due at one instant, when all is there; return the ids."""
    began = time.monotonic()
    snoozed = []
    for start in range(0, EACH, 25):
        body = {"type": "t", "message": "", "user_id": "alice"}
        made = await asyncio.gather(
            *[
                http.post(INBOX, json=body | {"title": f"s-{start + number}"}, headers=bearer("shop", "publish"))
                for number in range(25)
            ]
        )
        snoozed += [answer.json()["id"] for answer in made]
    # Two more rounds follow, on a machine as slow as it was for the first.
    due_at = soon(10 + 4 * (time.monotonic() - began))
    for start in range(0, EACH, 25):
        await asyncio.gather(
            *[
                http.patch(f"{INBOX}/{one}", json={"snoozed_until": due_at}, headers=bearer("alice"))
                for one in snoozed[start : start + 25]
            ]
        )
    scheduled = []
    for start in range(0, EACH, 25):
        body = {"user_id": "alice", "type": "t", "message": "", "deliver_at": due_at}
        kept = await asyncio.gather(
            *[
                http.post(INBOX, json=body | {"title": f"d-{start + number}"}, headers=bearer("shop", "publish"))
                for number in range(25)
            ]
        )
        scheduled += [answer.json()["scheduled"][0]["id"] for answer in kept]
    return snoozed + scheduled


async def test_kills_while_the_clock_strikes_lose_and_double_nothing(tmp_path):
    """Killed where a part is committed and nobody knows of it; a client that resumes sees each once."""
    env = environment(tmp_path / "t.db")
    async with serving(tmp_path, env) as (url, _), httpx.AsyncClient(base_url=url, trust_env=False) as http:
        async with connected(url, "/notifications", token("alice")):
            ids = await fill(http)
        page = (await http.get(INBOX, headers=bearer("alice"))).json()
    assert (0, []) == (page["unread_count"], page["notifications"])
    for _ in range(KILLS):
        async with serving(tmp_path, env | {"TOCSIN_FAILPOINT": "after_commit_before_emit:1"}) as (_, process):
            async with asyncio.timeout(90):
                assert -signal.SIGKILL == await process._process.wait()
    cursor = {"epoch": page["epoch"], "last_seq": page["seq"]}
    async with serving(tmp_path, env) as (url, _), httpx.AsyncClient(base_url=url, trust_env=False) as http:

        async def is_done():
            return (await http.get(INBOX, headers=bearer("alice"))).json()["unread_count"] == 2 * EACH

        await eventually(is_done)
        async with connected(url, "/notifications", token("alice"), **cursor) as socket:
            events = await socket.until("/notifications", "synced")
    came = [payload for name, payload in events if name == "notification"]

    assert sorted(ids) == sorted(payload["id"] for payload in came)
    assert list(range(1, 2 * EACH + 1)) == [payload["unread_count"] for payload in came]
