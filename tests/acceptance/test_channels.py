"""Other channels over real HTTP, Apprise and SMTP: set up, climbed to when nobody has seen it, tried again."""

import asyncio
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import pytest

from tests.acceptance.dripping import dripping
from tests.acceptance.wire_socket import eventually
from tocsin.adapters import apprise_channel
from tocsin.adapters.apprise_channel import FEW, PLACES, AppriseSender
from tocsin.domain.channel import Channel
from tocsin.domain.push import Outcome, PushMessage
from tocsin.services.channels import add_channel, list_channels, remove_channel
from tocsin.testing.smtp import BUSY, CLOSING, CUT, HANG, NO_SUCH_MAILBOX, FakeSmtp

pytestmark = pytest.mark.slow

SECRET_URL = "slack://TTTTTTTTT/BBBBBBBBB/cccccccccccccccccccccccc"
MESSAGE = PushMessage(title="Order <b>shipped</b>", body="민아, it left\n.\n<script>", link="https://shop.example/5")


@pytest.fixture(scope="module")
def smtp():
    with FakeSmtp() as smtp:
        yield smtp


@pytest.fixture(scope="module")
def server(start_shared_server):
    return start_shared_server(push_ladder="urgent: push 0s, channels 1s; low: none")


@pytest.fixture
def user():
    return f"u-{uuid4()}"


@pytest.fixture
async def sender():
    sender = AppriseSender()
    await sender.start()
    yield sender
    await sender.stop()


def channel(url):
    return Channel(id="c-1", user_id="7", category=None, url=url, name=None, created_at=0)


class Webhook(ThreadingHTTPServer):
    """Takes one POST of JSON; a context manager."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _WebhookHandler)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class _WebhookHandler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.path = self.path
        self.server.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


def until(condition):
    deadline = time.monotonic() + 25
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)
    return found


def mails_to(smtp, address):
    return [mail for mail in smtp.mails if address in mail["To"]]


def create(server, user, **fields):
    body = {"user_id": user, "type": "order", "title": "Shipped", "message": "It left Busan", "priority": "urgent"}
    headers = server.bearer("shop", "publish")
    return server.http.post("/api/notifications", headers=headers, json=body | fields).json()


def steps(server, made):
    answer = server.http.get(f"/api/notifications/{made['id']}/trace", headers=server.bearer("ops", "admin"))
    return [(one["channel"], one["outcome"], one["label"]) for one in answer.json()["steps"]]


def test_what_nobody_has_seen_goes_by_mail(server, smtp, user):
    """After push had its time; the trace tells by which channel."""
    add_channel(smtp.mail_url(f"{user}@example.com"), user_id=user, name="Her mail")
    made = create(server, user, data={"link": "https://shop.example/5"})
    (mail,) = until(lambda: mails_to(smtp, user))

    assert "Shipped" == mail["Subject"]
    assert "It left Busan" in mail.get_body().get_content()
    assert "https://shop.example/5" in mail.get_body().get_content()
    until(lambda: ("channels", "sent", "Her mail") in steps(server, made))


def test_what_was_read_in_time_does_not(server, smtp, user):
    """Nor what has no ladder."""
    add_channel(smtp.mail_url(f"{user}@example.com"), user_id=user)
    made = create(server, user)
    server.http.put(f"/api/notifications/{made['id']}/read", headers=server.bearer(user))
    until(lambda: ("ladder", "ended", None) in steps(server, made))
    create(server, user, priority="low")
    last = create(server, user, title="Last")
    until(lambda: ("channels", "sent", "mailto") in steps(server, last))

    assert ["Last"] == [mail["Subject"] for mail in mails_to(smtp, user)]


def test_a_category_has_a_channel_for_everybody(server, smtp, user):
    """A user's own channel may be for one category, too."""
    category = f"billing {user}"
    add_channel(smtp.mail_url(f"team-{user}@example.com"), category=category)
    add_channel(smtp.mail_url(f"own-{user}@example.com"), user_id=user, category="other")
    made = create(server, user, category=category)
    until(lambda: ("channels", "sent", "mailto") in steps(server, made))

    assert (1, 0) == (len(mails_to(smtp, f"team-{user}")), len(mails_to(smtp, f"own-{user}")))


def test_what_is_not_taken_is_tried_again(server, smtp, user):
    """Each try is a step; the mail comes once."""
    add_channel(smtp.mail_url(f"{user}@example.com"), user_id=user)
    smtp.answer(BUSY)
    made = create(server, user)
    until(lambda: mails_to(smtp, user))

    until(lambda: [one[1] for one in steps(server, made) if one[0] == "channels"] == ["retry", "sent"])
    assert 1 == len(mails_to(smtp, user))


@pytest.mark.parametrize("answer", [BUSY, CLOSING, NO_SUCH_MAILBOX, CUT], ids=["busy", "closing", "no mailbox", "cut"])
async def test_what_a_mail_server_says_comes_as_an_outcome(sender, smtp, answer, caplog):
    """Apprise says no more than that it was not taken; and nobody logs the address or the text."""
    smtp.answer(answer)
    with caplog.at_level(logging.DEBUG):
        (outcome,) = await sender.send(MESSAGE, [channel(smtp.mail_url("mina@example.com"))])

    assert Outcome("retry", "not taken") == outcome
    assert not any(word in caplog.text for word in ("mina@", "shipped", "it left"))


async def test_a_mail_server_that_hangs_has_its_time(sender, smtp, monkeypatch):
    """The others are not kept waiting by it."""
    monkeypatch.setattr(apprise_channel, "_READ_S", 1.0)
    smtp.answer(HANG)
    (outcome,) = await sender.send(MESSAGE, [channel(smtp.mail_url("mina@example.com"))])

    assert outcome.kind == "retry"


async def test_channels_that_hang_hold_no_other_up(sender):
    """Fifteen mail servers that never answer, and one that does."""
    with FakeSmtp() as smtp:
        smtp.answer(*[HANG] * 15)
        hanging = [channel(smtp.mail_url(f"hang-{number}@example.com")) for number in range(15)]
        sending = asyncio.create_task(sender.send(MESSAGE, hanging))
        await eventually(lambda: smtp.tried >= 15)
        quick = [channel(smtp.mail_url("quick@example.com"))]
        assert [Outcome("sent")] == await asyncio.wait_for(sender.send(MESSAGE, quick), 8)

        await sending


async def test_the_deadline_is_kept_and_a_stop_is_told(sender, monkeypatch):
    """What has no answer in time comes again, and what waits when the server stops does too."""
    monkeypatch.setattr(apprise_channel, "SEND_S", 0.5)
    with FakeSmtp() as smtp:
        smtp.answer(*[HANG] * 17)
        targets = [channel(smtp.mail_url(f"late-{number}@example.com")) for number in range(17)]
        reasons = {one.reason for one in await sender.send(MESSAGE, targets)}
        await sender.stop()
        (stopped,) = await sender.send(MESSAGE, targets[:1])

    assert "timeout" in reasons <= {"timeout", "too many channels hang", "it answers nobody"}
    assert "the server stops" == stopped.reason


async def test_few_wait_for_a_mail_server_that_answers_nobody(sender):
    """The others come back at once, and give their places in the ladder to those whom something else can reach."""
    with FakeSmtp() as smtp, FakeSmtp() as fine:
        smtp.answer(*[HANG] * 200)
        targets = [channel(smtp.mail_url(f"late-{number}@example.com")) for number in range(60)]
        await sender.send(MESSAGE, targets)
        before = smtp.tried
        reasons = {one.reason for one in await sender.send(MESSAGE, targets)}

        assert smtp.tried - before <= FEW
        assert {"not taken", "it answers nobody"} >= reasons
        assert [Outcome("sent")] == await sender.send(MESSAGE, [channel(fine.mail_url("mina@example.com"))])


async def test_a_mail_server_that_never_ends_its_line_holds_no_other_up(sender, monkeypatch):
    """Its threads stay, and hold no place."""
    monkeypatch.setattr(apprise_channel, "SEND_S", 1.0)
    async with dripping(b"2") as port:
        url = f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&mode=insecure&from=shop@example.com&to=mina@example.com"
        hanging = await sender.send(MESSAGE, [channel(url)] * 2 * PLACES)
        monkeypatch.setattr(apprise_channel, "SEND_S", 8.0)
        with FakeSmtp() as fine:
            quick = await sender.send(MESSAGE, [channel(fine.mail_url("mina@example.com"))])

    assert {"retry"} == {one.kind for one in hanging}
    assert [Outcome("sent")] == quick


async def test_a_webhook_gets_json(sender):
    """The simplest of Apprise's services, over real HTTP."""
    with Webhook() as webhook:
        (outcome,) = await sender.send(MESSAGE, [channel(f"json://127.0.0.1:{webhook.server_port}/hook")])

    assert Outcome("sent") == outcome
    assert ("/hook", "Order <b>shipped</b>") == (webhook.path, webhook.body["title"])
    assert "민아, it left" in webhook.body["message"]


async def test_text_is_text(sender, smtp):
    """Whatever it holds: no mark-up, no template, no end of a mail."""
    (outcome,) = await sender.send(MESSAGE, [channel(smtp.mail_url("text@example.com"))])
    (mail,) = mails_to(smtp, "text@")

    assert Outcome("sent") == outcome
    assert "Order <b>shipped</b>" == mail["Subject"]
    body = mail.get_body().get_content().replace("\r\n", "\n")
    assert "민아, it left\n.\n<script>" in body
    assert "text/plain" == mail.get_body().get_content_type()


async def test_what_apprise_does_not_know_is_refused(sender):
    """A row that no rule of ours has let in."""
    assert ["refused"] == [one.kind for one in await sender.send(MESSAGE, [channel("nope://x")])]


def test_channels_over_rest(server, user):
    """Set up, listed, removed; the URL is in no answer; the same again is the same one."""
    headers = server.bearer("shop", "publish")
    body = {"user_id": user, "url": SECRET_URL, "name": "Team"}
    made = server.http.post("/api/channels", headers=headers | {"Idempotency-Key": user}, json=body)
    again = server.http.post("/api/channels", headers=headers | {"Idempotency-Key": user}, json=body)
    renamed = server.http.post("/api/channels", headers=headers, json=body | {"name": "All"}).json()
    listed = server.http.get("/api/channels", headers=headers, params={"user_id": user})

    assert (201, made.json()) == (again.status_code, again.json())
    assert ("slack", renamed["id"]) == (made.json()["scheme"], made.json()["id"])
    assert [renamed] == listed.json()["channels"] == list_channels(user_id=user)
    assert "cccc" not in made.text + listed.text
    assert 204 == server.http.delete(f"/api/channels/{renamed['id']}", headers=headers).status_code
    assert 404 == server.http.delete(f"/api/channels/{renamed['id']}", headers=headers).status_code


@pytest.mark.parametrize(
    "body",
    [
        {"url": SECRET_URL},
        {"user_id": 7, "url": "nope://x"},
        {"user_id": 7, "url": "syslog://"},
        {"user_id": 7, "url": "dbus://"},
        {"user_id": 7, "url": "  SYSLOG:///?x=1"},
        {"user_id": 7, "url": "slack://\n"},
        {"user_id": 7},
        {"user_id": 7, "url": SECRET_URL, "more": 1},
    ],
)
def test_what_can_not_be_sent_to_is_refused(server, body):
    """In words that don't tell the URL."""
    answer = server.http.post("/api/channels", headers=server.bearer("shop", "publish"), json=body)

    assert 422 == answer.status_code
    assert "cccc" not in answer.text


def test_users_may_not(server):
    """A channel is a back end's to set up: its URL makes this server send somewhere."""
    body = {"user_id": 7, "url": SECRET_URL}

    assert 403 == server.http.post("/api/channels", headers=server.bearer(7), json=body).status_code
    assert 403 == server.http.get("/api/channels", headers=server.bearer(7)).status_code
    assert 403 == server.http.delete("/api/channels/x", headers=server.bearer(7)).status_code


def test_there_are_at_most_twenty(server, user):
    """For one owner; one that is removed makes room."""
    made = [add_channel(f"json://127.0.0.1:9/{number}", user_id=user) for number in range(20)]
    headers = server.bearer("shop", "publish")
    body = {"user_id": user, "url": SECRET_URL}
    assert 409 == server.http.post("/api/channels", headers=headers, json=body).status_code

    remove_channel(made[0]["id"])
    assert 201 == server.http.post("/api/channels", headers=headers, json=body).status_code
