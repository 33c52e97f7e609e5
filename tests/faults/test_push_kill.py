"""SIGKILL of a server that pushes: between the commit and the push, and between the push and its record."""

import asyncio
import signal
import time
from collections import Counter
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.wire_socket import eventually
from tests.conftest import SECRET
from tests.processes import environment, serving
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings
from tocsin.testing.fcm import UNAVAILABLE, FakeFcm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

KILLS = 10
USERS = ["1", "2", "3"]


@pytest.fixture
def fcm():
    with FakeFcm() as fcm:
        yield fcm


def token(user, scope=""):
    settings = Settings(_env_file=None, jwt_secret=SECRET)
    return {"Authorization": f"Bearer {issue_token(settings, UserId(user), ttl_s=3600, scope=scope)}"}


async def publish(url, keys):
    """Publish each not yet acknowledged key; those that the kill has interrupted come in the next life."""
    acknowledged = []
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as http:
        for key in keys:
            body = {"user_ids": USERS, "type": "t", "title": key, "message": "", "priority": "urgent"}
            try:
                answer = await http.post(
                    "/api/notifications", json=body, headers=token("shop", "publish") | {"Idempotency-Key": key}
                )
            except httpx.TransportError:
                break
            assert answer.status_code == 202
            acknowledged.append(key)
    return acknowledged


def shown(fcm):
    """Count what each phone was sent, by the words and the tag that devices show once."""
    return Counter(
        (one["token"], one["notification"]["title"], one["android"]["notification"]["tag"])
        for one in fcm.sent
        if "notification" in one
    )


@pytest.mark.parametrize("place", ["after_claim_before_send", "after_send_before_record"])
async def test_a_kill_loses_no_push_and_doubles_none_but_under_its_tag(tmp_path, fcm, place):
    """Killed again and again at the worst moment, each notification reaches each phone, under one tag."""
    env = environment(tmp_path / "t.db", FIREBASE_CREDENTIALS_PATH=str(fcm.write_key(tmp_path)), TOCSIN_FCM_URL=fcm.url)
    async with serving(tmp_path, env) as (url, _), httpx.AsyncClient(base_url=url, trust_env=False) as http:
        for user in USERS:
            answer = await http.post(
                "/api/fcm/register-device", json={"token": f"t-{user}", "platform": "android"}, headers=token(user)
            )
            assert answer.status_code == 201
    wanted: list[str] = []
    left: list[str] = []
    for _ in range(KILLS):
        left.append(str(uuid4()))
        async with serving(tmp_path, env | {"TOCSIN_FAILPOINT": f"{place}:1"}) as (url, process):
            done = await publish(url, left)
            async with asyncio.timeout(30):
                assert -signal.SIGKILL == await process._process.wait()
        wanted += done
        left = [key for key in left if key not in done]
    async with serving(tmp_path, env) as (url, _):
        wanted += await publish(url, left)
        await eventually(lambda: len({one[:2] for one in shown(fcm)}) >= len(wanted) * len(USERS))

    assert len(wanted) == KILLS
    assert {(f"t-{user}", key) for user in USERS for key in wanted} == {one[:2] for one in shown(fcm)}
    assert len(wanted) * len(USERS) == len(shown(fcm)), "one notification had two tags"
    if place == "after_claim_before_send":
        assert {1} == set(shown(fcm).values())


async def test_a_wait_that_a_provider_asked_for_outlives_kills(tmp_path, fcm):
    """Killed before it is recorded the provider is asked once more; killed after it, not before that is over."""
    env = environment(tmp_path / "t.db", FIREBASE_CREDENTIALS_PATH=str(fcm.write_key(tmp_path)), TOCSIN_FCM_URL=fcm.url)
    fcm.answer("t-busy", UNAVAILABLE.after(12), UNAVAILABLE.after(12))
    async with serving(tmp_path, env | {"TOCSIN_FAILPOINT": "after_send_before_record:1"}) as (url, process):
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            for name in ("t-busy", "t-fine"):
                body = {"token": name, "platform": "android"}
                assert (await http.post("/api/fcm/register-device", json=body, headers=token("1"))).is_success
        await publish(url, ["the only one"])
        async with asyncio.timeout(30):
            assert -signal.SIGKILL == await process._process.wait()
    assert {"t-busy": 1, "t-fine": 1} == fcm.requests
    async with serving(tmp_path, env) as (url, process), httpx.AsyncClient(base_url=url, trust_env=False) as http:
        listed = await http.get("/api/notifications", headers=token("1"))
        trace = f"/api/notifications/{listed.json()['notifications'][0]['id']}/trace"

        async def steps():
            return (await http.get(trace, headers=token("ops", "admin"))).json()["steps"]

        recorded = await eventually(steps, deadline_s=60)
        recorded_at = time.monotonic()
        process._process.kill()
    async with serving(tmp_path, env):
        await eventually(lambda: fcm.requests["t-busy"] == 3, deadline_s=60)

    assert time.monotonic() - recorded_at > 10
    assert {"sent", "retry"} <= {one["outcome"] for one in recorded}
    assert {("t-fine", 2), ("t-busy", 1)} == {(one[0], count) for one, count in shown(fcm).items()}
