"""Push through Firebase: the real client in its process, over HTTP, to a Firebase on loopback."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import SECRET
from tocsin.adapters.fcm import FcmSender
from tocsin.domain.device import Device
from tocsin.domain.push import PushMessage
from tocsin.services.fcm_service import list_devices, register_device, send_push, unregister_device
from tocsin.testing.fcm import (
    CUT,
    HANG,
    INTERNAL,
    INVALID_ARGUMENT,
    JUNK,
    QUOTA_EXCEEDED,
    SENDER_ID_MISMATCH,
    TAKEN,
    THIRD_PARTY_AUTH_ERROR,
    UNAVAILABLE,
    UNREGISTERED,
    Answer,
    FakeFcm,
)

# Each starts the process that speaks to Firebase.
pytestmark = pytest.mark.slow

MESSAGE = PushMessage(title="Order shipped", body="It left Busan")


@pytest.fixture
def fcm():
    with FakeFcm() as fcm:
        yield fcm


@pytest.fixture
def server(start_server, fcm, tmp_path):
    return start_server(firebase_credentials_path=fcm.write_key(tmp_path), fcm_url=fcm.url)


@pytest.fixture(scope="module")
def shared_fcm():
    with FakeFcm() as fcm:
        yield fcm


@pytest.fixture(scope="module")
def shared_server(start_shared_server, shared_fcm, tmp_path_factory):
    key = shared_fcm.write_key(tmp_path_factory.mktemp("key"))
    return start_shared_server(firebase_credentials_path=key, fcm_url=shared_fcm.url)


def device(token="a token", kind="token"):
    return Device(
        id=token,
        user_id="7",
        kind=kind,
        token=token,
        platform="android",
        device_name=None,
        created_at=0,
        last_seen_at=0,
    )


@pytest.fixture
async def sender(fcm):
    sender = FcmSender(fcm.key(), fcm.url)
    await sender.start()
    yield sender
    await sender.stop()


@pytest.fixture
def phone(shared_server, request):
    """Register a phone and return its user and its token, which no other test knows."""
    user, token = f"user of {request.node.name}", f"t-{uuid4()}"
    register_device(user, token, "android")
    return user, token


def sent_to(fcm, token):
    return [message for message in fcm.sent if message.get("token") == token]


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.01)


def test_a_push_reaches_every_device(server, fcm):
    """By token or installation id; the words and the data are the caller's."""
    register_device(7, "t-phone", "android")
    register_device(7, "f-pad", "ios", kind="fid")
    register_device(8, "t-other", "android")

    assert 2 == send_push(7, "Order shipped", "It left Busan", {"order_id": 5}, collapse_key="order-5", badge=1)
    assert {"t-phone", "f-pad"} == {message.get("token") or message.get("fid") for message in fcm.sent}
    assert [{"title": "Order shipped", "body": "It left Busan"}] * 2 == [one["notification"] for one in fcm.sent]
    assert [{"order_id": "5"}] * 2 == [message["data"] for message in fcm.sent]
    assert 1 == fcm.signed_in


def test_the_async_twin(shared_server, phone):
    """On the service's own loop."""
    assert 1 == shared_server.call(shared_server.service.send_push(phone[0], "Sale", "Today only"))


def test_a_message_that_is_too_long_is_cut(shared_fcm, phone):
    """Firebase takes 4,096 bytes and would refuse more."""
    user, token = phone

    assert 1 == send_push(user, "제목" * 50, "본문" * 2_000, {"blob": "x" * 10_000})
    (message,) = sent_to(shared_fcm, token)
    assert message["notification"]["body"].endswith("…")
    assert "data" not in message


@pytest.mark.parametrize(
    ("answers", "requests", "sent", "stays"),
    [
        pytest.param([UNREGISTERED], 1, 0, False, id="unregistered"),
        pytest.param([Answer(404, "NOT_FOUND")], 1, 0, False, id="404 of Google"),
        pytest.param([Answer(404, behaviour="junk")], 1, 0, True, id="404 of another server"),
        pytest.param([INVALID_ARGUMENT, INVALID_ARGUMENT], 2, 0, False, id="wrong token"),
        pytest.param([INVALID_ARGUMENT, UNREGISTERED], 2, 0, False, id="token found dead by the trial"),
        pytest.param([INVALID_ARGUMENT], 2, 0, True, id="wrong message"),
        pytest.param([INVALID_ARGUMENT, UNAVAILABLE], 2, 0, True, id="no trial"),
        pytest.param([Answer(400, behaviour="junk")], 1, 0, True, id="400 of another server"),
        pytest.param([SENDER_ID_MISMATCH], 1, 0, True, id="wrong project"),
        pytest.param([THIRD_PARTY_AUTH_ERROR], 1, 0, True, id="no APNs key"),
        pytest.param([Answer(302, behaviour="junk")], 1, 0, True, id="redirect"),
        pytest.param([QUOTA_EXCEEDED.after(0), TAKEN], 2, 1, True, id="429"),
        pytest.param([UNAVAILABLE.after(1), TAKEN], 2, 1, True, id="503"),
        pytest.param([INTERNAL, TAKEN], 2, 1, True, id="500"),
        pytest.param([Answer(502, behaviour="junk"), TAKEN], 2, 1, True, id="502 of another server"),
        pytest.param([CUT, TAKEN], 2, 1, True, id="cut"),
        pytest.param([JUNK, TAKEN], 2, 1, True, id="junk"),
        pytest.param([UNAVAILABLE.after(3_600)], 1, 0, True, id="503 for an hour"),
        pytest.param([UNAVAILABLE.after("Wed, 21 Oct 2099 07:28:00 GMT")], 1, 0, True, id="503 until a day"),
        pytest.param([UNAVAILABLE.after("Wed, 21 Oct 2015 07:28:00 GMT"), TAKEN], 2, 1, True, id="503 until past"),
    ],
)
def test_what_firebase_answers(shared_fcm, phone, answers, requests, sent, stays):  # noqa: PLR0917 a table
    """A device is removed only where Firebase says that it is gone; only what may be taken later is tried again."""
    user, token = phone
    shared_fcm.answer(token, *answers)

    assert sent == send_push(user, "Sale", "Today only")
    assert requests == shared_fcm.requests[token]
    assert stays == bool(list_devices(user))
    assert sent == len(sent_to(shared_fcm, token))


def test_one_dead_device_costs_the_others_nothing(shared_server, shared_fcm):
    """Each has its own answer."""
    for token, answer in {"t-a": UNREGISTERED, "t-b": TAKEN, "t-c": INVALID_ARGUMENT, "t-d": JUNK}.items():
        register_device("one dead", token, "ios")
        shared_fcm.answer(token, answer)

    # The last one at its second try; the message was wrong for the third, says the trial.
    assert 2 == send_push("one dead", "Sale", "Today only")
    assert 3 == len(list_devices("one dead"))


def test_a_device_that_is_unregistered_meanwhile_gets_nothing(shared_fcm, phone):
    """It is looked for again before its second try."""
    user, token = phone
    shared_fcm.answer(token, UNAVAILABLE.after(2))
    sent = []
    pushing = threading.Thread(target=lambda: sent.append(send_push(user, "Sale", "Today only")))
    pushing.start()
    until(lambda: shared_fcm.requests[token] == 1)
    unregister_device(user, token)
    pushing.join()

    assert ([0], [], 1) == (sent, sent_to(shared_fcm, token), shared_fcm.requests[token])


def test_an_access_token_that_is_refused_is_fetched_anew(server, fcm):
    """Once, and the push goes through."""
    register_device(7, "t-phone", "android")
    fcm.answer("t-phone", TAKEN, TAKEN)
    send_push(7, "Sale", "Today only")
    fcm.forget_access()

    assert 1 == send_push(7, "Sale", "Today only")
    assert 2 == fcm.signed_in


@pytest.mark.parametrize("status", [400, 401])
def test_a_revoked_key_is_told_once(server, fcm, caplog, status):
    """With what may be wrong; nothing is tried again."""
    register_device(7, "t-phone", "android")
    fcm.refuse_sign_in(status)

    assert [0, 0] == [send_push(7, "Sale", "Today only") for _ in range(2)]
    assert not fcm.requests
    assert 1 == caplog.text.count("Google gives no access token for the key of FIREBASE_CREDENTIALS_PATH")
    assert 1 == len(list_devices(7))


def test_the_wrong_project_is_told_once(server, fcm, caplog):
    """With the setting to look at."""
    register_device(7, "t-phone", "android")
    fcm.always("t-phone", SENDER_ID_MISMATCH)
    for _ in range(2):
        send_push(7, "Sale", "Today only")

    assert 1 == caplog.text.count("a device belongs to another Firebase project")


async def test_silence_has_an_end(fcm):
    """Others of the same push are sent meanwhile."""
    fcm.answer("mute", HANG)
    sender = FcmSender(fcm.key(), fcm.url, timeout_s=2)
    mute, fine = await sender.send(MESSAGE, [device("mute"), device("fine")])
    await sender.stop()

    assert ("retry", "timeout") == (mute.kind, mute.reason)
    assert "sent" == fine.kind


async def test_more_than_firebase_takes_at_once(fcm, sender):
    """1,200 devices, each with its own answer and in their order."""
    for number in range(0, 1_200, 100):
        fcm.answer(f"t-{number}", UNREGISTERED)
    outcomes = await sender.send(MESSAGE, [device(f"t-{number}") for number in range(1_200)])

    assert ["gone" if number % 100 == 0 else "sent" for number in range(1_200)] == [one.kind for one in outcomes]
    assert {f"t-{number}" for number in range(1_200) if number % 100} == {message["token"] for message in fcm.sent}
    assert 1 == fcm.signed_in


async def test_what_can_not_be_said_loses_no_other_push(fcm, sender):
    """Data that is nested too deeply is refused; what goes in the same frame is sent."""
    deep = {}
    for _ in range(300):
        deep = {"in": deep}
    pushes = [MESSAGE, PushMessage(title="deep", body="", data=deep), MESSAGE]
    async with asyncio.timeout(20):
        outcomes = await asyncio.gather(*[sender.send(push, [device(f"t-{n}")]) for n, push in enumerate(pushes)])

    assert ["sent", "refused", "sent"] == [outcome.kind for (outcome,) in outcomes]
    assert {"t-0", "t-2"} == {one["token"] for one in fcm.sent}


async def test_nobody_listens(fcm):
    """A provider that can't be reached may be there later."""
    nowhere = FcmSender(fcm.key(), "http://127.0.0.1:1")
    (outcome,) = await nowhere.send(MESSAGE, [device()])
    await nowhere.stop()

    assert "retry" == outcome.kind


async def test_a_worker_that_is_killed_is_replaced(fcm, sender, caplog):
    """The next push starts another, and the log tells of it."""
    await sender.send(MESSAGE, [device()])
    first = sender._worker.result()
    os.kill(first._process.pid, signal.SIGKILL)
    await first._living
    (outcome,) = await sender.send(MESSAGE, [device()])

    assert "sent" == outcome.kind
    assert first is not sender._worker.result()
    assert "the process that speaks to Firebase ended" in caplog.text


async def test_a_stop_ends_the_worker(fcm):
    """And who waits for it; what comes later is told so."""
    sender = FcmSender(fcm.key(), fcm.url)
    await sender.send(MESSAGE, [device()])
    process = sender._worker.result()._process
    await sender.stop()

    assert process.returncode is not None
    assert ["retry"] == [outcome.kind for outcome in await sender.send(MESSAGE, [device()])]


async def test_a_push_that_is_cancelled_leaves_its_worker_to_the_next(fcm, sender):
    """It was being started; no second one is."""
    pushing = asyncio.create_task(sender.send(MESSAGE, [device()]))
    while sender._worker is None:  # noqa: ASYNC110 it is begun within a turn or two
        await asyncio.sleep(0)
    started = sender._worker
    pushing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pushing
    (outcome,) = await sender.send(MESSAGE, [device()])

    assert "sent" == outcome.kind
    assert started is sender._worker


def test_no_token_and_no_key_is_ever_logged(server, fcm, caplog, capfd):
    """Whatever happens, at every level, in this process and in the one that speaks to Firebase."""
    tokens = [f"very-secret-token-{number}" for number in range(9)]
    answers = [UNREGISTERED, INVALID_ARGUMENT, SENDER_ID_MISMATCH, QUOTA_EXCEEDED.after(99), JUNK, CUT, INTERNAL]
    with caplog.at_level(logging.DEBUG):
        for token in tokens:
            register_device(7, token, "android")
        for token, answer in zip(tokens, answers, strict=False):
            fcm.answer(token, answer)
        send_push(7, "very secret title", "very secret message", {"very": "secret data"})
        fcm.refuse_sign_in()
        send_push(7, "very secret title", "very secret message")

    said = caplog.text + "".join(capfd.readouterr())
    assert "a push did not reach" in said
    for secret in ("very-secret", "very secret", "secret data", "PRIVATE KEY", *fcm._access_tokens):
        assert secret not in said


SCRIPT = """
import sys
from tocsin.services.fcm_service import register_device, send_push

register_device(7, "t-phone", "android")
print(send_push(7, "Sale", "Today only"), "firebase_admin" in sys.modules, "aiohttp" in sys.modules)
"""


def test_a_script_pushes(fcm, tmp_path):
    """A process that serves nobody; Firebase's client is not loaded into it, and nothing is left behind."""
    environment = os.environ | {
        "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'tocsin.db'}",
        "FIREBASE_CREDENTIALS_PATH": str(fcm.write_key(tmp_path)),
        "TOCSIN_FCM_URL": fcm.url,
    }
    finished = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=tmp_path, capture_output=True, timeout=60, check=False
    )

    assert ("1 False False\n", "") == (finished.stdout.decode(), finished.stderr.decode())
    assert 1 == len(fcm.sent)


def test_the_worker_ends_with_a_killed_server(fcm, tmp_path):
    """Also when nobody could tell it."""
    script = SCRIPT + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    environment = os.environ | {
        "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'tocsin.db'}",
        "FIREBASE_CREDENTIALS_PATH": str(fcm.write_key(tmp_path)),
        "TOCSIN_FCM_URL": fcm.url,
    }
    # The worker holds this end of the pipe for as long as it lives.
    killed = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, stderr=subprocess.PIPE, timeout=60, check=False
    )

    assert -signal.SIGKILL == killed.returncode


def test_a_key_that_can_not_be_used_stops_the_start(tmp_path):
    """In one line, with status 2: to try again each second does not mend it."""
    key = Path(tmp_path / "firebase.json")
    key.write_text(json.dumps({"type": "service_account"}))
    environment = os.environ | {"FIREBASE_CREDENTIALS_PATH": str(key), "TOCSIN_JWT_SECRET": SECRET}
    started = subprocess.run(
        [Path(sys.executable).with_name("tocsin"), "serve", "--port", "0"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert 2 == started.returncode
    assert b"FIREBASE_CREDENTIALS_PATH names a key file without project_id" in started.stdout + started.stderr
    assert b"Traceback" not in started.stderr
