"""``SIGHUP`` to a server of one process: a service manager's reload, or the end of its terminal."""

import asyncio
import os
import signal
import sys

import httpx
import pytest

from tests.acceptance.wire_socket import connected
from tests.conftest import SECRET
from tests.processes import environment, running, serving
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def taken():
    """Let servers begin with the signal as a terminal gives it, though these tests may run under nohup themselves."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


async def test_it_drains_as_on_any_other_signal(tmp_path):
    """Clients are sent away with a word, and the end is no failure: whoever watches over it starts it again."""
    token = issue_token(Settings(_env_file=None, jwt_secret=SECRET), "7", ttl_s=600)
    async with (
        serving(tmp_path, environment(tmp_path / "t.db")) as (url, process),
        connected(url, "/notifications", token) as phone,
    ):
        status = await process.stop(signal.SIGHUP)
        told = await phone.payload("/notifications", "server_draining")

    assert 0 == status
    assert told["retry_in"] >= 0


async def test_under_nohup_it_stays(tmp_path):
    """Whoever has the signal ignored wants it ignored."""
    tocsin = (sys.executable, "-c", "from tocsin.cli import main; main()", "serve", "--port", "0")
    async with running(tmp_path, "nohup", *tocsin, env=environment(tmp_path / "t.db")) as process:
        url = (await process.line()).rpartition(" ")[2]
        os.kill(process.pid, signal.SIGHUP)
        await asyncio.sleep(0.5)
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            answer = await http.get(f"{url}/readyz")

    assert 200 == answer.status_code
