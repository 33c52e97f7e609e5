"""Two nodes behind nginx and behind HAProxy, with the files of ``deploy/``, as operators and clients see them."""

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest

from tests.acceptance.rolling_load import load
from tests.acceptance.stock_clients import TRANSPORTS, stock_client
from tests.acceptance.test_workers import token
from tests.acceptance.wire_socket import eventually
from tests.processes import environment, serving
from tests.proxies import haproxy, nginx
from tocsin.cli.prove.node import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NS = "/notifications"
PROXIES = {"nginx": nginx, "haproxy": haproxy}
# fail_timeout of nginx.conf, and inter of haproxy.cfg, with a bit more.
PROXY_FORGETS_S = 3.0


@pytest.fixture
def env(tmp_path, postgres_url, redis_url):
    return environment(
        tmp_path / "unused.db",
        TOCSIN_DATABASE_URL=postgres_url,
        TOCSIN_REDIS_URL=redis_url,
        TOCSIN_DRAIN_S="1",
        TOCSIN_LOG_LEVEL="warning",
    )


async def answers(url):
    """Return whether somebody is ready there."""
    async with httpx.AsyncClient(trust_env=False, verify=False) as http:
        try:
            return (await http.get(f"{url}/readyz")).status_code == 200
        except httpx.HTTPError:
            return False


async def uses(client, transport):
    """Tell whether a client has come to a transport: an upgrade goes on while events arrive."""
    return transport == await client.transport()


@pytest.mark.parametrize("proxy", PROXIES.values(), ids=PROXIES)
async def test_clients_and_a_rolling_restart_behind_a_proxy(proxy, env, tmp_path):
    """
    Each transport works through it; then both nodes are restarted, one after the other, under load.

    What was acknowledged is heard once by every device, in one order; the producers' few requests
    that met the very end of a node, and were not answered by it, are the only ones that fail.
    """
    ports = [free_port(), free_port()]
    async with AsyncExitStack() as stack:
        nodes = [(await stack.enter_async_context(serving(tmp_path, env, port)))[1] for port in ports]
        url = stack.enter_context(proxy(tmp_path, ports))
        await eventually(lambda: answers(url))
        for transports in TRANSPORTS.values():
            client = await stack.enter_async_context(stock_client("4.8"))
            await client.open(url, [NS], transports, {"token": token("bob")})
            await client.next(NS, "synced")
            await eventually(lambda client=client, last=transports[-1]: uses(client, last))
        async with load(url, token) as running:
            for port, node in zip(ports, nodes, strict=True):
                seen = len(running.titles)
                await eventually(lambda seen=seen: len(running.titles) > seen + 20, 60)
                assert 0 == await node.stop()
                await stack.enter_async_context(serving(tmp_path, env, port))
                await eventually(lambda port=port: answers(f"http://127.0.0.1:{port}"))
                # The next one goes when the proxy, too, knows that this one is back.
                await asyncio.sleep(PROXY_FORGETS_S)
            seen = len(running.titles)
            await eventually(lambda: len(running.titles) > seen + 20, 60)

    failed = [answer for answer in running.answers if answer != 201]
    assert {502} >= set(failed)
    assert len(failed) <= 6, failed
    for titles in running.heard:
        assert sorted(running.titles) == sorted(titles)
        assert titles == running.heard[0]
