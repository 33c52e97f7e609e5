"""The guide, heading by heading: configuration, migration, distribution, origins, and what a crash costs."""

import asyncio
import json
import signal

import pytest
import redis

from tests.acceptance.stock_clients import stock_client
from tests.acceptance.wire_socket import eventually

ME = 7


def rest(guide, method, path, user, **more):
    answer = guide.http.request(method, path, headers=guide.bearer(user), **more)
    assert answer.status_code < 300, answer.text
    return answer.json() if answer.content else None


def handshake(host, origin):
    return host.http.get("/socket.io/?EIO=4&transport=polling", headers={"Origin": origin})


# Configuration


async def test_environment_variables(new_guide):
    """The ping settings are those of the handshake; a mode that can't be is refused in one line."""
    host = new_guide(SOCKETIO_PING_TIMEOUT="7", SOCKETIO_PING_INTERVAL="3", SOCKETIO_ASYNC_MODE="threading")
    host.start()
    handshake = host.http.get("/socket.io/?EIO=4&transport=polling").text
    status, said = host.stop()

    assert '"pingInterval":3000' in handshake
    assert '"pingTimeout":7000' in handshake
    assert 0 == status, said

    with pytest.raises(RuntimeError, match="SOCKETIO_ASYNC_MODE eventlet patches the standard library"):
        new_guide(SOCKETIO_ASYNC_MODE="eventlet").start()


def test_database_migration(new_guide):
    """``flask db migrate`` and ``upgrade`` make the tables; the server finds them and adds nothing."""
    host = new_guide()
    host.flask("db", "init")

    written = host.flask("db", "migrate", "-m", "Add WebSocket notification models")
    host.flask("db", "upgrade")
    host.start()
    host.call("services.notifications.create_notification", ME, "system", "Stored", "")
    host.stop()
    again = host.flask("db", "migrate")

    assert "tocsin_notification" in written
    assert "No changes in schema detected" in again


# Performance & Scaling: Distributed


async def test_message_queue(new_guide, own_valkey):
    """``message_queue=`` names the Redis that wakes the server when another process has written."""
    host = new_guide(KEYWORDS=json.dumps({"message_queue": own_valkey.url, "async_mode": "threading"}))
    host.start()
    with redis.Redis.from_url(own_valkey.url) as broker:
        await eventually(lambda: asyncio.to_thread(broker.execute_command, "PUBSUB", "SHARDCHANNELS"))
    async with stock_client("4.8") as client:
        await client.open(host.url, ["/orders"], ["websocket"], {"token": host.token(ME)})
        await client.next("/orders", "synced")
        script = (
            "from backend.app import app; from backend.websocket_server import broadcast_order_event as tell; "
            f"tell('order_updated', {ME}, {{'order_id': 1, 'status': 'packed'}})"
        )
        await asyncio.to_thread(host.python, script)
        (event,) = await client.next("/orders", "order_updated")

    assert (1, "packed") == (event["order_id"], event["status"])


# Security: CORS Configuration


def test_every_origin_with_a_loud_warning(new_guide):
    """The guide's ``cors_allowed_origins="*"`` lets every page in and is warned of."""
    host = new_guide(KEYWORDS=json.dumps({"cors_allowed_origins": "*"}))
    host.start()
    answer = handshake(host, "https://anywhere.example")
    host.stop()

    assert 200 == answer.status_code
    assert "https://anywhere.example" == answer.headers["access-control-allow-origin"]
    assert "cors" in (host.folder / "backend.log").read_text().lower()


def test_specific_origins(new_guide):
    """The guide's list lets those pages in and no other."""
    origins = ["https://yourdomain.com", "https://app.yourdomain.com"]
    host = new_guide(KEYWORDS=json.dumps({"cors_allowed_origins": origins}))
    host.start()

    assert [200, 200] == [handshake(host, origin).status_code for origin in origins]
    assert 403 == handshake(host, "https://evil.example").status_code
    assert 200 == handshake(host, host.url).status_code


# Troubleshooting


async def test_logs_tell_of_a_refused_token(new_guide):
    """``tail -f backend.log | grep websocket`` shows why somebody is not connected, and no token."""
    host = new_guide()
    host.start()
    token = host.token(ME, exp=1)
    async with stock_client("4.8") as client:
        with pytest.raises(Exception, match="expired"):
            await client.open(host.url, ["/notifications"], ["websocket"], {"token": token})
    host.stop()
    lines = [line for line in (host.folder / "backend.log").read_text().splitlines() if "websocket" in line]

    assert any("expired" in line for line in lines)
    assert token not in "".join(lines)


# Reliability


async def test_a_crash_between_two_events_loses_nothing(new_guide):
    """Killed after the call and started again: the client resumes and hears what it missed, once."""
    host = new_guide()
    host.start()
    host.call("services.notifications.create_notification", ME, "system", "before", "")
    host.stop(signal.SIGKILL)
    host.start()
    host.call("services.notifications.create_notification", ME, "system", "after", "")
    async with stock_client("4.8") as client:
        page = await asyncio.to_thread(rest, host, "GET", "/api/notifications", ME)
        auth = {"token": host.token(ME), "epoch": page["epoch"], "last_seq": 0}
        await client.open(host.url, ["/notifications"], ["websocket"], auth)
        titles = [(await client.next("/notifications", "notification"))[0]["title"] for _ in range(2)]

    assert ["before", "after"] == titles
