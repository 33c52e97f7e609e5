"""
The demo's own back end: two users, their posts, and a plug that can be pulled.

It uses the service as any host in Python would. Its REST routes are in
``rest.demo``; where its data and its secret live is ``cli.demo``'s.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Any

import orjson

from tocsin.adapters.jwt_tokens import issue_token
from tocsin.application.ports import TokenVerifier
from tocsin.bootstrap import Service
from tocsin.domain.errors import NotFound, Overloaded
from tocsin.domain.events import NAMESPACES
from tocsin.domain.message import MessageDraft
from tocsin.domain.notification import NotificationDraft
from tocsin.domain.preference import Locale, Preferences
from tocsin.domain.principal import Principal
from tocsin.domain.stream import StreamKey
from tocsin.domain.user_id import UserId, parse_user_id, user_id_json

MINA = UserId("1")
JUNHO = UserId("2")
USERS: dict[UserId, tuple[str, Locale]] = {MINA: ("Mina", "en"), JUNHO: ("준호 (Junho)", "ko")}
BACK_END = UserId("demo-back-end")
OPERATOR = UserId("demo-operator")

TOKEN_TTL_S = 3600.0
MAX_POSTS = 1_000
# Long enough to see each platform start, short enough to wait for.
PLATFORM_S = {"instagram": 0.9, "x": 1.5, "tiktok": 2.2}
PICKY = "tiktok"


class Plug:
    """
    A verifier that also keeps out users whose plug is pulled, on every door.

    To a client it is a node that is overloaded: it comes back by itself.
    Belongs to the event loop's thread.

    Args:
        tokens: Verifies the tokens.
        clock: Seconds that never go back.
    """

    def __init__(self, tokens: TokenVerifier, clock: Callable[[], float] = time.monotonic) -> None:
        self._tokens = tokens
        self._clock = clock
        self._out_until: dict[UserId, float] = {}

    def verify(self, token: object) -> Principal:
        """
        Return the token's principal.

        Raises:
            Unauthenticated: The token is wrong.
            Overloaded: The user's plug is out; it tells for how long.
        """
        principal = self._tokens.verify(token)
        left = self._out_until.get(principal.user_id, 0.0) - self._clock()
        if left > 0:
            raise Overloaded("this user's plug is pulled", retry_after_s=round(left, 3))
        return principal

    def pull(self, user_id: UserId, seconds: float) -> None:
        """Keep the user out from now on."""
        self._out_until[user_id] = self._clock() + seconds


class DemoHost:
    """
    What the demo does behind its routes, on a service that verifies with the plug.

    Belongs to the event loop's thread.
    """

    def __init__(self, service: Service, plug: Plug) -> None:
        self._service = service
        self._plug = plug
        self._posts: dict[str, str] = {}
        self._refused: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        service.on("publish_start", namespace="/sns")(self.publish_start)

    # The page's routes

    def session(self) -> dict[str, Any]:
        """Return the users with fresh tokens, a back end's token, and one for the dashboard."""
        users = [
            {"id": user_id_json(user_id), "name": name, "lang": lang, "token": self._token(user_id)}
            for user_id, (name, lang) in USERS.items()
        ]
        return {
            "users": users,
            "publish_token": self._token(BACK_END, "publish"),
            "admin_token": self._token(OPERATOR, "admin"),
        }

    async def pull(self, user_id: UserId, seconds: float) -> None:
        """
        Abort the user's connections, let none in for ``seconds``, and tell the other user.

        Raises:
            NotFound: It is neither of the demo's users.
        """
        if user_id not in USERS:
            raise NotFound("there is no such user in the demo")
        self._plug.pull(user_id, seconds)
        engine = self._service.engine
        sockets = [socket for namespace in NAMESPACES for socket in engine.room(namespace, user_id)]
        for connection in {socket.connection for socket in sockets}:
            connection.abort()
        await self._tell_presence(user_id, "user_offline")
        self._spawn(self._plug_in(user_id, seconds))

    def add_post(self, user_id: UserId, text: str) -> str:
        """Keep the text of a post, the last 1,000 of them, and return its id."""
        post_id = f"{user_id}-{secrets.token_hex(4)}"
        self._posts[post_id] = text
        if len(self._posts) > MAX_POSTS:
            del self._posts[next(iter(self._posts))]
        return post_id

    # The host's handler of a client's event

    async def publish_start(self, user_id: int | str, data: dict[str, Any]) -> None:
        """Say that publishing has started, then say of each platform how it went."""
        user = parse_user_id(user_id)
        post_id, platforms = data["post_id"], data["platforms"]
        text = self._posts.get(str(post_id), f"Post {post_id}")
        started = {"post_id": post_id, "platforms": platforms, "text": text, "message": "Publishing"}
        await self._service.activity.publish("/sns", "publish_started", [user], started)
        for platform in platforms:
            self._spawn(self._publish(user, post_id, platform))

    async def _publish(self, user_id: UserId, post_id: int | str, platform: str) -> None:
        await asyncio.sleep(PLATFORM_S.get(platform, 1.0))
        result: dict[str, Any] = {"post_id": post_id, "platforms": [platform]}
        # A visitor should see a failure too, and that trying again helps.
        is_refused = platform == PICKY and str(post_id) not in self._refused
        if is_refused:
            self._refused.add(str(post_id))
            result |= {"message": "Not published", "error": "it wants a longer video"}
        else:
            result["message"] = "Published"
        event = "publish_failed" if is_refused else "publish_success"
        await self._service.activity.publish("/sns", event, [user_id], result)

    # What a new demo begins with

    async def seed(self) -> None:
        """Give the users something to look at, unless there is something already."""
        service = self._service
        heads = await service.store.heads([StreamKey(user, namespace) for user in USERS for namespace in NAMESPACES])
        if any(head.seq for head in heads):
            return
        for user in USERS:
            draft = NotificationDraft(
                user_id=user, type="welcome", title="Welcome to Tocsin 👋", message="Pull the plug and lose nothing."
            )
            await service.notifications.create(draft)
            await service.preferences.save(user, Preferences(locale=USERS[user][1]))
        tea = {"order_id": "T-1042", "item": "Celadon teapot"}
        oranges = {"order_id": "T-1043", "item": "제주 감귤 5 kg 🍊"}
        parcel = {"status": "shipped", "location": "Jeju port", "carrier": "Hanjin", "tracking_number": "HJ1043"}
        publish = service.activity.publish
        await publish("/orders", "order_updated", [MINA], {**tea, "status": "placed", "message": "Thank you!"})
        await publish("/orders", "order_updated", [MINA], {**tea, "status": "packed", "message": "Wrapped with care"})
        await publish("/orders", "order_updated", [JUNHO], {**oranges, "status": "placed", "message": "감사합니다!"})
        await publish("/orders", "shipment_update", [JUNHO], {**oranges, **parcel})
        for user, text in ((MINA, "Glazed the first bowls today 🏺"), (JUNHO, "새 작업실에서 첫 촬영 📸")):
            post_id = self.add_post(user, text)
            post = {"post_id": post_id, "platforms": ["instagram", "x"], "text": text}
            await publish("/sns", "publish_started", [user], post)
            await publish("/sns", "publish_success", [user], post)
        await service.chat.send(MessageDraft(from_user_id=JUNHO, to_user_id=MINA, message="점심 같이 먹을래요? 🍜"))
        await service.chat.send(MessageDraft(from_user_id=MINA, to_user_id=JUNHO, message="Yes! 12:30, usual place"))

    def start(self) -> None:
        """Begin to seed, or to finish what the last run left; on the running loop."""
        self._spawn(self.seed())
        self._spawn(self.finish())

    async def finish(self) -> None:
        """Publish what had been started when the last run ended; the log says what that is."""
        for user in USERS:
            unfinished: dict[tuple[int | str, str], None] = {}
            for event in (await self._service.streams.read(StreamKey(user, "/sns"), 0)).events:
                data = orjson.loads(event.payload)
                if "post_id" not in data:
                    continue  # a visitor's own event, of no post of the demo
                for platform in data.get("platforms", ()):
                    if event.event == "publish_started":
                        self._posts[str(data["post_id"])] = data.get("text", "")
                        unfinished[data["post_id"], platform] = None
                    else:
                        unfinished.pop((data["post_id"], platform), None)
                if event.event == "publish_failed":
                    self._refused.add(str(data["post_id"]))
            for post_id, platform in unfinished:
                self._spawn(self._publish(user, post_id, platform))

    async def _plug_in(self, user_id: UserId, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._tell_presence(user_id, "user_online")

    async def _tell_presence(self, user_id: UserId, event: str) -> None:
        others = [other for other in USERS if other != user_id]
        await self._service.activity.publish("/chat", event, others, {"user_id": user_id_json(user_id)})

    def _token(self, user_id: UserId, scope: str = "") -> str:
        return issue_token(self._service.settings, user_id, ttl_s=TOKEN_TTL_S, scope=scope)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
