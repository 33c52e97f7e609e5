"""
No secret is in a log: security.md, "Logs".

A server as an operator starts it, at the level ``debug``, with everything that has a
password or a key, goes through a broad session; then every secret is looked for in what it wrote.
"""

import asyncio
import json
import sys
from secrets import token_hex
from urllib.parse import quote

import httpx
import orjson
import pytest

from tests.acceptance.wire_socket import Refused, eventually, wire
from tests.processes import environment, running, serving
from tests.valkey import valkey
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings
from tocsin.testing.fcm import INTERNAL, UNREGISTERED, FakeFcm
from tocsin.testing.smtp import FakeSmtp
from tocsin.testing.web_push import FakePushService

pytestmark = pytest.mark.slow


class Secrets(dict[str, str]):
    """Each secret under the name of what it is; one that is asked for is made, and none is like another."""

    def __missing__(self, name: str) -> str:
        self[name] = f"{token_hex(20)}"
        return self[name]


@pytest.fixture
def secrets():
    return Secrets()


@pytest.fixture
def around(secrets, postgres_url, tmp_path):
    """Start what the server speaks to; return its environment, and the fakes."""
    (tmp_path / "valkey").mkdir()
    with (
        valkey(tmp_path / "valkey", requirepass=secrets["password of Redis"]) as redis,
        FakeFcm() as fcm,
        FakePushService() as browsers,
        FakeSmtp() as smtp,
    ):
        scheme, _, rest = postgres_url.partition("://")
        host = rest.rpartition("@")[2]
        user = rest.rpartition("@")[0].partition(":")[0] or "postgres"
        key = fcm.write_key(tmp_path)
        private = json.loads(key.read_text())["private_key"].splitlines()
        secrets["Firebase's private key"] = private[len(private) // 2]
        env = environment(
            tmp_path / "unused.db",
            TOCSIN_DATABASE_URL=f"{scheme}://{user}:{secrets['password of the database']}@{host}",
            TOCSIN_REDIS_URL=redis.url,
            TOCSIN_BUS_KEY=secrets["bus key"],
            TOCSIN_JWT_SECRET=secrets["secret of tokens"],
            TOCSIN_LOG_LEVEL="debug",
            TOCSIN_LOG_FORMAT="json",
            TOCSIN_PUSH_LADDER="urgent: push 0s, channels 0s; low: none",
            TOCSIN_LIMIT_USER_CONNECTIONS="2",
            TOCSIN_WEBPUSH_HOSTS=browsers.host,
            TOCSIN_FCM_URL=fcm.url,
            FIREBASE_CREDENTIALS_PATH=str(key),
        )
        yield env, redis, fcm, browsers, smtp


class Session:
    """What users and a back end do with one server, well and badly."""

    def __init__(self, url, secrets):
        self.secrets = secrets
        self.settings = Settings(_env_file=None, jwt_secret=secrets["secret of tokens"])
        self.http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=20)
        self.url = url
        self.statuses = []

    def token(self, user, scope="", name="", **claims):
        token = issue_token(self.settings, UserId(user), ttl_s=claims.pop("ttl_s", 600), scope=scope, **claims)
        self.secrets[f"token of {user} {scope} {name}"] = token.rpartition(".")[2]
        return token

    async def ask(self, method, path, body=None, user="ann", scope="", **more):
        headers = {"Authorization": f"Bearer {self.token(user, scope)}", **more.pop("headers", {})}
        answer = await self.http.request(method, path, json=body, headers=headers, **more)
        self.statuses.append(answer.status_code)
        return answer

    async def notify(self, user="ann", **more):
        texts = {"title": self.secrets["title"], "message": self.secrets["text of a notification"]}
        body = {"user_id": user, "type": "t", "priority": "urgent", "data": {"x": self.secrets["data"]}} | texts
        return await self.ask("POST", "/api/notifications", body | more, "shop", "publish")

    async def rest(self):
        made = (await self.notify()).json()
        await self.ask("PUT", f"/api/notifications/{made['id']}/read")
        await self.ask("GET", "/api/notifications", params={"category": self.secrets["filter"]})
        await self.ask("GET", "/api/notifications", params={"token": self.secrets["token in a query"]})
        await self.notify(title=[self.secrets["text of a wrong type"]])
        await self.notify(data={self.secrets["name of a field"]: "x" * 70_000})
        bad = {"Authorization": f"Bearer {self.secrets['token that is none']}"}
        await self.http.get("/api/notifications", headers=bad)
        await self.http.get("/api/notifications", headers={"Cookie": f"token={self.secrets['cookie']}"})
        await self.http.post("/api/notifications", content=f'{{"title":"{self.secrets["half a body"]}', headers=bad)
        await self.http.get("/api/notifications", headers=bad | {"Origin": f"https://{self.secrets['origin']}.example"})
        revoked = self.token("ann", name="revoked", jti=self.secrets["jti"])
        await self.ask("POST", "/api/sessions/revoke", {"jti": self.secrets["jti"]}, "shop", "publish")
        await self.http.get("/api/notifications", headers={"Authorization": f"Bearer {revoked}"})

    async def push(self, browsers, fcm, smtp):
        phone = {"token": self.secrets["device token"], "platform": "android"}
        gone = {"token": self.secrets["device token that is gone"], "platform": "android"}
        broken = {"token": self.secrets["device token that fails"], "platform": "android"}
        fcm.always(gone["token"], UNREGISTERED)
        fcm.always(broken["token"], INTERNAL)
        for device in (phone, gone, broken):
            await self.ask("POST", "/api/fcm/register-device", device)
        await self.ask(
            "POST", "/api/fcm/register-device", {"token": f"{self.secrets['broken token']} ", "platform": "x"}
        )
        key = (await self.ask("GET", "/api/webpush/public-key")).json()["public_key"]
        browser = browsers.subscribe(key)
        await self.ask("POST", "/api/webpush/subscriptions", browser.subscription)
        self.secrets["endpoint of a browser"] = browser.endpoint.rpartition("/")[2]
        self.secrets |= {f"{name} of a browser": value for name, value in browser.subscription["keys"].items()}
        inside = f"https://10.0.0.1/{self.secrets['endpoint inside']}"
        await self.ask("POST", "/api/webpush/subscriptions", browser.subscription | {"endpoint": inside})
        mailbox = f"mailto://{self.secrets['user of a mailbox']}:{self.secrets['password of a mailbox']}@127.0.0.1"
        for url in (smtp.mail_url("ann@example.com"), f"{mailbox}:{9}?to=ann@example.com&mode=insecure"):
            await self.ask("POST", "/api/channels", {"user_id": "ann", "url": url}, "shop", "publish")
        slack = f"slack://T1/{self.secrets['slack']}"
        await self.ask("POST", "/api/channels", {"user_id": "ann", "url": slack}, "shop", "publish")
        made = (await self.notify()).json()
        browser.wait()

        async def is_traced():
            path = f"/api/notifications/{made['id']}/trace"
            steps = (await self.ask("GET", path, user="shop", scope="publish")).json()["steps"]
            return {"fcm", "webpush", "channels"} <= {step["channel"] for step in steps}

        await eventually(is_traced)

    async def sockets(self):
        async with wire(self.url) as ann, wire(self.url) as bob, wire(self.url) as third:
            for socket, user in ((ann, "ann"), (bob, "bob")):
                token = self.token(user, name="socket")
                await socket.connect("/chat", {"token": token, "epoch": self.secrets["epoch"], "last_seq": 3})
            message = {"to_user_id": "bob", "message": self.secrets["text of a chat"]}
            await ann.ask("/chat", "send_message", message)
            await ann.ask("/chat", "send_message", message | {"message": {"x": self.secrets["text of a wrong chat"]}})
            await ann.ask("/chat", self.secrets["name of an event"], message)
            await ann.ask("/chat", "reauth", {"token": self.secrets["token that is none, again"]})
            with pytest.raises(Refused):
                await third.connect("/chat", {"token": self.secrets["third token that is none"]})
            with pytest.raises(Refused):
                await third.connect("/orders", {"token": self.token("bob", name="expired", ttl_s=-60)})
            await ann.websocket.send(f'42/chat,["send_message",{{"message":"{self.secrets["broken packet"]}"')
            await ann.closed.wait()
        answer = await self.http.get("/socket.io/?EIO=4&transport=polling")
        sid = self.secrets["session id"] = orjson.loads(answer.text[1:])["sid"]
        path = f"/socket.io/?EIO=4&transport=polling&sid={sid}"
        await self.http.post(path, content=f'40/chat,{{"token":"{self.secrets["token of a poll"]}"}}')
        await self.http.post(path, content=f"4x{self.secrets['broken poll']}")


def found(text, secrets):
    """Return the names of the secrets that a text shows, also percent-encoded."""
    return [name for name, secret in secrets.items() if secret in text or quote(secret, safe="") in text]


async def test_a_broad_session_shows_no_secret(around, secrets, tmp_path):
    """Posts, errors, handshakes, refusals, pushes that arrive and fail, and Redis that goes away in the middle."""
    env, redis, fcm, browsers, smtp = around
    async with serving(tmp_path, env) as (url, process):
        session = Session(url, secrets)
        await session.rest()
        await session.push(browsers, fcm, smtp)
        await session.sockets()
        redis.kill()
        await session.rest()
        await asyncio.to_thread(redis.start)
        await session.http.aclose()
        await process.stop()
        text = process.errors.read_text()

    assert {200, 201, 404, 422} & set(session.statuses) >= {200, 201, 422}
    assert len(secrets) > 40
    for expected in ('"level": "debug"', "a client was refused", "tocsin.adapters.bus_redis"):
        assert expected in text, expected
    assert [] == found(text, secrets)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOCSIN_DATABASE_URL", "postgresql://ann:{}@127.0.0.1:9/none"),
        ("TOCSIN_REDIS_URL", "redis://:{}@127.0.0.1:nine/0"),
        ("TOCSIN_JWKS_URL", "https://ann:{}@id.example.com/keys"),
        ("TOCSIN_BUS_KEY", "{:.30}"),
        ("TOCSIN_FCM_URL", "https://ann:{}@example.com"),
    ],
)
async def test_a_start_that_fails_shows_no_password(secrets, tmp_path, name, value):
    """What can't be used is named without what is secret of it."""
    env = environment(tmp_path / "unused.db", **{name: value.format(secrets["password"])})
    async with running(
        tmp_path, sys.executable, "-c", "from tocsin.cli import main; main()", "serve", "--port", "0", env=env
    ) as process:
        assert 0 < await process._process.wait()
        text = process.errors.read_text() + (await process._process.stdout.read()).decode()

    assert name in text
    assert secrets["password"][:30] not in text
