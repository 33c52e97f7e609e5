"""The sender of Web Push on its own: where it connects, how long it waits, what it opens and closes."""

import asyncio
import ssl
import time

import aiohttp
import pytest

from tests.certificates import self_signed
from tocsin.adapters import web_push
from tocsin.adapters.push_endpoints import PushEndpoints
from tocsin.adapters.sql.sqlite import SqliteStore
from tocsin.adapters.vapid import VapidKeyring
from tocsin.adapters.web_push import WebPushSender
from tocsin.bootstrap.web_push import SenderWhenNeeded
from tocsin.domain.push import Outcome, PushMessage
from tocsin.domain.web_push import WebPushSubscription
from tocsin.settings import PUSH_SERVICES
from tocsin.testing.web_push import (
    HANG,
    TOO_MANY,
    FakePushService,
    PushAnswer,
    redirect,
)

HELLO = PushMessage(title="Hello", body="World")


@pytest.fixture
def service():
    with FakePushService() as service:
        yield service


@pytest.fixture
async def store(tmp_path):
    store = SqliteStore(str(tmp_path / "tocsin.db"))
    await store.start()
    yield store
    await store.stop()


@pytest.fixture
async def open_sender(store):
    """Start senders over endpoints of one's own; all are stopped after the test."""
    senders = []

    async def open_one(*hosts, look_up=None):
        sender = WebPushSender(PushEndpoints(hosts, look_up), VapidKeyring(store))
        await sender.start()
        senders.append(sender)
        return sender

    yield open_one
    for sender in senders:
        await sender.stop()


def until(condition):
    while not condition():
        time.sleep(0.01)


def target(browser, **changes):
    keys = browser.subscription["keys"]
    usual = {"id": "s-1", "user_id": "7", "user_agent": None, "created_at": 0, "last_seen_at": 0, **keys}
    return WebPushSubscription(**usual | {"endpoint": browser.endpoint} | changes)


async def test_a_redirect_is_not_followed(open_sender, service):
    """It would lead past every rule of where a push may go."""
    browser, other = service.subscribe(), service.subscribe()
    service.always(browser, redirect(other.endpoint))
    sender = await open_sender(service.host)

    assert await sender.send(HELLO, [target(browser)]) == [Outcome("refused", "http 307, a redirect")]
    assert service.requests == 1


async def test_a_name_that_changed_since_it_was_checked_leads_nowhere(open_sender, service):
    """DNS rebinding: public when it was saved, loopback when it is sent to."""
    answers = [["142.250.74.10"], ["127.0.0.1"]]

    async def look_up(host, port):
        return answers.pop(0)

    sender = await open_sender(*PUSH_SERVICES, look_up=look_up)
    browser = target(service.subscribe(), endpoint="https://fcm.googleapis.com/fcm/send/x")
    await sender._endpoints.check(browser.endpoint)

    assert await sender.send(HELLO, [browser]) == [Outcome("refused", "endpoint not allowed")]
    assert answers == []
    assert service.requests == 0


@pytest.mark.parametrize(("addresses", "kind"), [(["127.0.0.1"], "sent"), (["127.0.0.9"], "retry")])
async def test_the_connection_goes_to_the_address_that_was_judged(open_sender, service, addresses, kind):
    """One look-up a connection, and none beside it: what the name means elsewhere counts nothing."""
    asked = []

    async def look_up(host, port):
        asked.append(host)
        return addresses

    place = service.host.replace("127.0.0.1", "localhost")
    sender = await open_sender(place, look_up=look_up)
    browser = service.subscribe()
    endpoint = browser.endpoint.replace("127.0.0.1", "localhost")
    # The fake knows itself by its address alone, which is the audience that it wants.
    service.url = service.url.replace("127.0.0.1", "localhost")
    (outcome,) = await sender.send(HELLO, [target(browser, endpoint=endpoint)])

    assert outcome.kind == kind
    assert asked == ["localhost"]


@pytest.mark.parametrize(
    "endpoint", ["https://169.254.169.254/x", "https://example.com/x", "http://127.0.0.1:1/x", "no URL", "https://[x/"]
)
async def test_an_endpoint_is_judged_again_when_something_is_sent(open_sender, service, endpoint):
    """A row may have come by another way, or the list of hosts have changed."""
    sender = await open_sender(service.host)

    assert await sender.send(HELLO, [target(service.subscribe(), endpoint=endpoint)]) == [
        Outcome("refused", "endpoint not allowed")
    ]


async def test_proxies_of_the_environment_are_ignored(open_sender, service, monkeypatch):
    """A proxy would resolve the name by itself."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    sender = await open_sender(service.host)

    assert await sender.send(HELLO, [target(service.subscribe())]) == [Outcome("sent")]


async def test_silence_has_an_end(open_sender, service, monkeypatch):
    """A push service that hangs costs a bounded time, and the others nothing."""
    monkeypatch.setattr(web_push, "SEND_S", 1.0)
    silent, other = service.subscribe(), service.subscribe()
    service.always(silent, HANG)
    sender = await open_sender(service.host)
    outcomes = await asyncio.wait_for(sender.send(HELLO, [target(silent), target(other)]), 30)

    assert outcomes == [Outcome("retry", "timeout"), Outcome("sent")]


async def test_a_push_service_that_hangs_holds_up_no_other(open_sender, service, monkeypatch):
    """However many pushes wait for it, those of other services have their turns."""
    monkeypatch.setattr(web_push, "SEND_S", 600.0)
    monkeypatch.setattr(web_push, "PATIENCE_S", 600.0)
    with FakePushService() as silent:
        silent.answer_all(HANG)
        sender = await open_sender(service.host, silent.host)
        targets = [target(silent.subscribe())] * 100
        waiting = asyncio.create_task(sender.send(HELLO, targets))
        await asyncio.to_thread(until, lambda: silent.requests > 0)
        outcomes = await asyncio.wait_for(sender.send(HELLO, [target(service.subscribe())]), 60)
        waiting.cancel()

    assert [Outcome("sent")] == outcomes


async def test_who_waits_too_long_for_a_turn_comes_again(open_sender, service, monkeypatch):
    """Else what waits for a service that hangs would take all places of the ladders."""
    monkeypatch.setattr(web_push, "SEND_S", 600.0)
    monkeypatch.setattr(web_push, "PATIENCE_S", 0.5)
    service.answer_all(HANG)
    sender = await open_sender(service.host)
    outcomes = await asyncio.wait_for(sender.send(HELLO, [target(service.subscribe())] * 200), 60)

    assert [Outcome("retry", "timeout")] * 200 == outcomes


async def test_a_name_server_that_hangs_has_an_end(open_sender, service, monkeypatch):
    """The look-up is part of the time that a push has."""

    async def look_up(host, port):
        await asyncio.Event().wait()

    monkeypatch.setattr(web_push, "SEND_S", 0.2)
    sender = await open_sender(*PUSH_SERVICES, look_up=look_up)
    browser = target(service.subscribe(), endpoint="https://fcm.googleapis.com/fcm/send/x")

    assert await asyncio.wait_for(sender.send(HELLO, [browser]), 30) == [Outcome("retry", "timeout")]


async def test_an_answer_is_not_read_to_its_end(open_sender, service):
    """Nor is what it tells repeated, but for Apple's word."""
    browser = service.subscribe()
    bodies = {
        b"x" * 5_000_000: "http 400",
        b'{"reason": "BadJwtToken"}': "http 400 BadJwtToken",
        b'{"reason": "see https://secret"}': "http 400",
        b'["reason"]': "http 400",
        b'{"reason": 7}': "http 400",
    }
    service.answer(browser, *[PushAnswer(400, body=body) for body in bodies])
    sender = await open_sender(service.host)

    for reason in bodies.values():
        assert await sender.send(HELLO, [target(browser)]) == [Outcome("refused", reason)]


async def test_retry_after_is_told(open_sender, service):
    """What is read of it is ``retry_after``'s to say."""
    browser = service.subscribe()
    service.answer(browser, TOO_MANY.after(7))
    sender = await open_sender(service.host)

    assert await sender.send(HELLO, [target(browser)]) == [Outcome("retry", "http 429", 7.0)]


@pytest.mark.parametrize("keys", [{"p256dh": "x"}, {"p256dh": "B" + "A" * 86}, {"auth": "x"}])
async def test_keys_that_no_rule_has_seen_are_refused(open_sender, service, keys):
    """A row that came by another way costs the others nothing."""
    browser = service.subscribe()
    sender = await open_sender(service.host)
    outcomes = await sender.send(HELLO, [target(browser, **keys), target(browser)])

    assert [outcome.kind for outcome in outcomes] == ["refused", "sent"]


async def test_a_certificate_that_nobody_vouches_for_is_refused(open_sender, service, tmp_path):
    """Nothing of a push is told to whoever holds the address of a push service."""
    context, told = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), []
    context.load_cert_chain(self_signed(tmp_path))
    server = await asyncio.start_server(lambda *_: told.append(True), "127.0.0.1", 0, ssl=context)
    host = f"localhost:{server.sockets[0].getsockname()[1]}"
    sender = await open_sender(host)
    outcomes = await sender.send(HELLO, [target(service.subscribe(), endpoint=f"https://{host}/push")])
    server.close()
    await server.wait_closed()

    assert outcomes == [Outcome("retry", "no connection (ClientConnectorCertificateError)")]
    assert told == []


async def test_what_is_shown_can_be_taken_back(open_sender, service):
    """By its tag; of more than fit as many as do."""
    browser = service.subscribe()
    sender = await open_sender(service.host)
    await sender.retract(["order 17", "n-1"], [target(browser)])
    await sender.retract([f"{number:0100}" for number in range(100)], [target(browser)])

    assert browser.pushes[0].payload == {"v": 1, "close": ["order 17", "n-1"]}
    assert 20 < len(browser.pushes[1].payload["close"]) < 40


async def test_one_connection_serves_many_pushes(open_sender, service):
    """Of one service; and more browsers than connections at once get theirs."""
    browsers = [service.subscribe() for _ in range(100)]
    sender = await open_sender(service.host)
    outcomes = await sender.send(HELLO, [target(browser) for browser in browsers])

    assert {outcome.kind for outcome in outcomes} == {"sent"}
    assert isinstance(sender._session, aiohttp.ClientSession)
    assert [1] * 100 == [len(browser.pushes) for browser in browsers]


async def test_nothing_is_opened_after_the_stop(store, service):
    """A try that was waiting for its turn leaves no connection behind; the first push opens what the stop closes."""
    endpoints = PushEndpoints((service.host,))
    sender = SenderWhenNeeded(endpoints, VapidKeyring(store))
    await sender.start()
    browser = target(service.subscribe())

    assert await sender.send(HELLO, [browser]) == [Outcome("sent")]
    await sender.stop()
    assert await sender.send(HELLO, [browser]) == [Outcome("retry", "the server stops")]


async def test_a_stop_gives_up_what_is_under_way(open_sender, service):
    """Those that are waited for, and those that wait for their turn: each has an outcome."""
    browsers = [service.subscribe() for _ in range(100)]
    service.answer_all(HANG)
    sender = await open_sender(service.host)
    sending = asyncio.create_task(sender.send(HELLO, [target(browser) for browser in browsers]))
    await asyncio.to_thread(until, lambda: service.requests > 0)
    await sender.stop()
    outcomes = await asyncio.wait_for(sending, 30)

    assert {outcome.kind for outcome in outcomes} <= {"retry", "refused"}
