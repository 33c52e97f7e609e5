"""SIGKILL of a server while it erases a user: the next one goes on until nothing of the user is left."""

import asyncio
import signal
import sqlite3
from contextlib import closing

import httpx
import pytest

from tests.acceptance.wire_socket import eventually
from tests.conftest import SECRET
from tests.processes import environment, serving
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.adapters.sql import schema
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ALICE = UserId("alice-7f3a")
ROWS = 12_000
KILLS = 3


def bearer():
    settings = Settings(_env_file=None, jwt_secret=SECRET)
    return {"Authorization": f"Bearer {issue_token(settings, UserId('shop'), ttl_s=3600, scope='publish')}"}


def message(sender, recipient, text):
    return MessageDraft(from_user_id=sender, to_user_id=recipient, message=text)


async def fill(path):
    store = SqliteStore(str(path))
    await store.start()
    for start in range(0, ROWS, 1_000):
        drafts = [
            NotificationDraft(user_id=ALICE, type="t", title=f"{start + number}", message="m")
            for number in range(1_000)
        ]
        await store.create_notifications(drafts)
    bob = UserId("bob")
    await asyncio.gather(*[store.send_message(message(ALICE, bob, f"secret {number}")) for number in range(500)])
    await asyncio.gather(*[store.send_message(message(bob, ALICE, f"kept {number}")) for number in range(500)])
    await store.stop()


def forward(path):
    """Let time pass for the job: nobody holds it, or its last look is due."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE tocsin_erasure SET due_at = 0")


def rows_of_alice(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM tocsin_notification").fetchone()[0]


async def test_an_erasure_goes_on_after_each_kill(tmp_path):
    """Killed in the middle of deleting, again and again; then it settles, and after the last look it is done."""
    path = tmp_path / "t.db"
    await fill(path)
    env = environment(path)
    left = [ROWS]
    for _ in range(KILLS):
        async with serving(tmp_path, env) as (url, process):
            async with httpx.AsyncClient(base_url=url, trust_env=False, headers=bearer()) as http:
                assert 202 == (await http.delete(f"/api/users/{ALICE}")).status_code
            await eventually(lambda: rows_of_alice(path) < left[-1])
            assert -signal.SIGKILL == await process.stop(signal.SIGKILL)
        left.append(rows_of_alice(path))
        forward(path)
    async with (
        serving(tmp_path, env) as (url, _),
        httpx.AsyncClient(base_url=url, trust_env=False, headers=bearer()) as http,
    ):

        async def state():
            answer = await http.get(f"/api/users/{ALICE}/erasure")
            return answer.json().get("state", answer.status_code)

        await eventually(lambda: has(state, "settling"), 60)
        forward(path)
        await eventually(lambda: has(state, 404), 60)

    assert left == sorted(left, reverse=True)
    with closing(sqlite3.connect(path)) as connection:
        rows = [row for table in schema.metadata.tables for row in connection.execute(f"SELECT * FROM {table}")]
        kept = connection.execute("SELECT count(*) FROM tocsin_message WHERE message LIKE 'kept %'").fetchone()[0]
    assert [] == [row for row in rows if str(ALICE) in repr(row) or "secret" in repr(row)]
    assert 500 == kept


async def has(state, wanted):
    return await state() == wanted
