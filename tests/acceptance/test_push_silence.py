"""Providers that take a connection and never answer: what they cost whoever has nothing to do with them."""

import asyncio
import os
import signal

import pytest
from firebase_admin import credentials

from tests.acceptance.dripping import dripping
from tests.acceptance.wire_socket import eventually
from tocsin.adapters import web_push
from tocsin.adapters.fcm import FcmSender, client, sender
from tocsin.adapters.push_endpoints import PushEndpoints
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.adapters.turns import FEW
from tocsin.adapters.vapid import VapidKeyring
from tocsin.adapters.web_push import WebPushSender
from tocsin.domain.device import Device
from tocsin.domain.push import PushMessage
from tocsin.domain.web_push import WebPushSubscription
from tocsin.testing.fcm import HANG, TAKEN, FakeFcm
from tocsin.testing.web_push import HANG as SILENT
from tocsin.testing.web_push import TAKEN as FINE
from tocsin.testing.web_push import FakePushService

pytestmark = pytest.mark.slow

MESSAGE = PushMessage(title="Order shipped", body="It left Busan")
MANY = 300


@pytest.fixture
def fcm():
    with FakeFcm() as fcm:
        yield fcm


@pytest.fixture
async def open_fcm(fcm):
    """Start a sender; it is stopped after the test."""
    opened = []

    def open_one(**fields):
        opened.append(FcmSender(fcm.key() | fields, fcm.url, timeout_s=1.0))
        return opened[-1]

    yield open_one
    for one in opened:
        await one.stop()


def devices(count=1):
    fields = {"user_id": "7", "kind": "token", "platform": "android", "device_name": None}
    return [Device(id=f"t-{n}", token=f"t-{n}", created_at=0, last_seen_at=0, **fields) for n in range(count)]


async def test_few_wait_for_a_firebase_that_answers_nobody(fcm, open_fcm):
    """The others are told at once, and give their places in the ladder to those whom something else can reach."""
    fcm.answer_all(HANG)
    sender = open_fcm()
    await sender.send(MESSAGE, devices(MANY))
    before = fcm.requests.total()
    outcomes = await sender.send(MESSAGE, devices(MANY))

    assert {"retry"} == {one.kind for one in outcomes}
    assert {"timeout", "it answers nobody"} == {one.reason for one in outcomes}
    assert fcm.requests.total() - before <= FEW
    fcm.answer_all(TAKEN)
    await sender.send(MESSAGE, devices())
    assert {"sent"} == {one.kind for one in await sender.send(MESSAGE, devices(MANY))}


async def test_one_that_gets_no_answer_keeps_nobody_from_firebase(fcm, open_fcm):
    """As long as others get theirs."""
    fcm.always("t-0", HANG)
    sender = open_fcm()
    for _ in range(3):
        mute, *others = await sender.send(MESSAGE, devices(MANY))
        assert ("retry", "timeout") == (mute.kind, mute.reason)
        assert {"sent"} == {one.kind for one in others}


async def test_one_waits_for_a_google_that_signs_nobody_in(fcm, monkeypatch):
    """Once it has failed, everybody else is told at once, for as long as it does."""
    asked = []

    async def hang(reader, writer):
        asked.append(await reader.read(1))
        await reader.read()
        writer.close()

    monkeypatch.setattr(client, "_SIGN_IN_TIMEOUT_S", 1.0)
    async with await asyncio.start_server(hang, "127.0.0.1", 0) as google:
        url = f"http://127.0.0.1:{google.sockets[0].getsockname()[1]}/token"
        access = client._Access(credentials.Certificate(fcm.key() | {"token_uri": url}).get_credential())
        with pytest.raises(client._NoAnswer):
            await access.token()
        await asyncio.sleep(1.1)
        first = asyncio.create_task(access.token())
        await eventually(lambda: len(asked) == 2)
        with pytest.raises(client._NoAnswer, match="no access token"):
            await access.token()
        is_first_done = first.done()
        with pytest.raises(client._NoAnswer):
            await first

    assert not is_first_done


async def test_a_google_that_never_ends_its_answer_is_waited_for_no_longer(fcm, monkeypatch):
    """It has as long as one that says nothing."""
    monkeypatch.setattr(client, "_SIGN_IN_TIMEOUT_S", 1.0)
    async with dripping(b" ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n") as port:
        key = fcm.key() | {"token_uri": f"http://127.0.0.1:{port}/token"}
        access = client._Access(credentials.Certificate(key).get_credential())
        with pytest.raises(client._NoAnswer, match="no access token"):
            await asyncio.wait_for(access.token(), 20)


async def test_a_worker_that_is_stuck_is_replaced(fcm, open_fcm, monkeypatch, caplog):
    """It is ended when it has said nothing for longer than an answer may take, and the log tells of it."""
    opened = open_fcm()
    await opened.send(MESSAGE, devices())
    monkeypatch.setattr(sender, "ANSWER_S", 0.5)
    stuck = opened._worker.result()
    os.kill(stuck._process.pid, signal.SIGSTOP)
    (outcome,) = await opened.send(MESSAGE, devices())
    await asyncio.wait_for(stuck._living, 20)
    monkeypatch.undo()

    assert "retry" == outcome.kind
    assert ["sent"] == [one.kind for one in await opened.send(MESSAGE, devices())]
    assert "the process that speaks to Firebase gives no answer" in caplog.text


@pytest.fixture
async def browsers(tmp_path, monkeypatch):
    """Return a push service, and a sender that may push to it."""
    monkeypatch.setattr(web_push, "SEND_S", 1.0)
    store = SqliteStore(str(tmp_path / "t.db"))
    await store.start()
    with FakePushService() as service:
        sender = WebPushSender(PushEndpoints([service.host]), VapidKeyring(store))
        await sender.start()
        yield service, sender
        await sender.stop()
    await store.stop()


def target(browser):
    keys = browser.subscription["keys"]
    fields = {"id": "s-1", "user_id": "7", "user_agent": None, "created_at": 0, "last_seen_at": 0}
    return WebPushSubscription(endpoint=browser.endpoint, **fields, **keys)


async def test_few_wait_for_a_push_service_that_answers_nobody(browsers):
    """As with Firebase."""
    service, sender = browsers
    service.answer_all(SILENT)
    targets = [target(service.subscribe())] * 100
    outcomes = await sender.send(MESSAGE, targets)

    assert {("retry", "timeout"), ("retry", "it answers nobody")} == {(one.kind, one.reason) for one in outcomes}
    assert service.requests <= web_push.MAX_AT_ONE_SERVICE
    service.answer_all(FINE)
    await sender.send(MESSAGE, targets[:1])
    assert {"sent"} == {one.kind for one in await sender.send(MESSAGE, targets)}
