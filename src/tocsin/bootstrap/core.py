"""The use-cases on a database and a bus, without a server: all that publishing needs."""

import asyncio
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from tocsin.adapters.bus_local import LocalBus
from tocsin.adapters.fcm import FcmSender, NotUsable, read_key
from tocsin.adapters.sql import open_store
from tocsin.adapters.sql.chat_store import SqlChat
from tocsin.adapters.sql.deliveries import SqlDeliveries
from tocsin.adapters.sql.e2ee import SqlE2ee
from tocsin.adapters.sql.erasures import SqlErasures
from tocsin.adapters.sql.export import SqlExport
from tocsin.adapters.sql.fan_out import SqlFanOut
from tocsin.adapters.sql.journeys import SqlJourneys
from tocsin.adapters.sql.migrate import SchemaError
from tocsin.adapters.sql.preferences import SqlPreferences
from tocsin.adapters.sql.revocations import SqlRevocations
from tocsin.adapters.sql.store import SqlStore
from tocsin.adapters.sql.words import SqlTemplates
from tocsin.application.activity import Activity
from tocsin.application.admin import Admin
from tocsin.application.chat import Chat
from tocsin.application.devices import Devices
from tocsin.application.e2ee import Encryption
from tocsin.application.export import Exports
from tocsin.application.fan_out import FanOut
from tocsin.application.insight import Insight
from tocsin.application.journeys import Journeys
from tocsin.application.nodes import Nodes
from tocsin.application.notifications import Notifications
from tocsin.application.ports import Bus, Store
from tocsin.application.preferences import Preferences
from tocsin.application.presence import Presence
from tocsin.application.push import Push, Route
from tocsin.application.retention import Retention
from tocsin.application.streams import Streams
from tocsin.application.tails import Tails
from tocsin.application.templates import Templates
from tocsin.application.texts import Lang
from tocsin.application.tracing import Tracing
from tocsin.application.typing import Typing
from tocsin.bootstrap.channels import open_channels
from tocsin.bootstrap.coroutines import Coroutines
from tocsin.bootstrap.patched_threads import find_patcher
from tocsin.bootstrap.tracing import open_tracing
from tocsin.bootstrap.web_push import open_web_push
from tocsin.domain.device import Device
from tocsin.domain.errors import TocsinError
from tocsin.domain.ladder import Ladders
from tocsin.domain.retention import Kept
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings


class StartError(Exception):
    """The service can't start; the message is one line and says how to mend it."""

    exit_status = 1


class SetupError(StartError):
    """The service can't start until somebody changes a setting, an argument, a key or a package."""

    exit_status = 2


class Core(Coroutines):
    """
    The use-cases on a database and a bus, without a server: all that publishing needs.

    Belongs to the event loop that starts it.

    Args:
        settings: All settings; no key for tokens is needed.

    Attributes:
        notifications: The inbox.
        activity: Events of posts and orders.
        chat: Messages.
        encryption: Public keys, and the mail between devices that encrypt.
        devices: Where push goes, and who follows which topic.
        web_push: Browsers that take pushes.
        deliveries: The push ladder's memory: traces and preferences.
        channels: Where else notifications may go.
        fan_out: Notifications to all who follow a topic.
        preferences: How users want to be told.
        templates: The words of a back end.
        routes: All that push can be sent to.
        push: Sends to what a user registered: ``await core.push.send(...)``.
        streams: The log that every reader reads.
        tails: Readers without a socket, who wait for what the log will hold.
        erasure_jobs: Users who are being erased.
        exports: All that is kept of a user, as JSON.
        kept_revocations: Which tokens count no more.
        has_stopped: It can't start again: its parts belong to the loop that they ran on.
        tracing: Follows events to their devices; None: traces are off.

    Raises:
        StartError: gevent or eventlet has patched this process, or Firebase's key can't be used.
    """

    def __init__(self, settings: Settings) -> None:
        if (patcher := find_patcher()) is not None:
            raise SetupError(
                f"{patcher} has patched the threads of this process, which stops an event loop: take its "
                "monkey-patching out, and under gunicorn use sync or gthread workers"
            )
        self.settings = settings
        self.has_stopped = False
        self.tracing = open_tracing(settings)
        self.store = _open_store(settings.database_url, settings.lang)
        self.store.tracing = self.tracing
        self.bus = _open_bus(settings, self.store, self.tracing)
        self.store.on_commit = self.bus.publish
        self.notifications = Notifications(self.store)
        chats = SqlChat(self.store)
        self.chat = Chat(self.store, chats)
        self.encryption = Encryption(SqlE2ee(self.store), self.bus, chats.may_write, chats.peers)
        self.typing = Typing(self.bus, chats.may_write)
        self.presence = Presence(self.bus, chats, is_shared=settings.redis_url is not None)
        self.activity = Activity(self.store, self.bus, settings.lang)
        self.devices = Devices(self.store, settings.limit_user_devices)
        self.web_push, web_push_route = open_web_push(settings, self.store)
        self.deliveries = SqlDeliveries(self.store)
        self.channels, self.channel_route = open_channels(self.store)
        self.fan_out = FanOut(SqlFanOut(self.store))
        self.preferences = Preferences(SqlPreferences(self.store), self._tell_preferences)
        self.templates = Templates(SqlTemplates(self.store))
        self.routes: list[Route[Any]] = [*_fcm_routes(settings, self.store), web_push_route]
        self.push = Push(self.routes)
        self.streams = Streams(self.store)
        self.tails = Tails(self.bus, settings.limit_user_connections)
        self.erasure_jobs = SqlErasures(self.store)
        self.kept = kept_by(settings)
        self.retention = Retention(self.store, self.kept)
        self.exports = Exports(SqlExport(self.store))
        self.kept_revocations = SqlRevocations(self.store)

    def _tell_preferences(self, user_id: UserId) -> None:
        self.bus.publish_ephemeral(user_id, "/notifications", "preferences_changed", {})

    async def start(self) -> None:
        """
        Open the database.

        Raises:
            StartError: The database can't be opened or was written by a later release; it has run already.
        """
        if self.has_stopped:
            raise StartError("a service starts once: build a new one")
        with explained(self.settings.database_url):
            await self.store.start()
        await self.bus.start()
        await self.push.start()

    async def stop(self) -> None:
        """Commit what was accepted and close; ``start`` may follow in a new object only."""
        self.has_stopped = True
        self.tails.close()
        await self.push.stop()
        await self.streams.stop()
        await self.store.stop()
        await self.bus.stop()
        if self.tracing is not None:
            await self.tracing.stop()


def _open_bus(settings: Settings, store: Store, tracing: Tracing | None) -> Bus:
    if settings.redis_url is None:
        return LocalBus()
    try:
        from tocsin.adapters.bus_redis import RedisBus  # noqa: PLC0415 the package is an extra
    except ModuleNotFoundError as error:
        raise SetupError("TOCSIN_REDIS_URL is set, its package is missing: pip install 'tocsin[redis]'") from error
    key = settings.bus_key
    try:
        return RedisBus(
            settings.redis_url.get_secret_value(),
            epoch=lambda: store.epoch,
            key=None if key is None else key.get_secret_value(),
            tracing=tracing,
        )
    except ValueError as error:
        raise SetupError(f"TOCSIN_REDIS_URL {error}") from error


def _fcm_routes(settings: Settings, store: Store) -> list[Route[Device]]:
    path = settings.firebase_credentials_path
    if path is None:
        return []
    try:
        key = read_key(path)
    except NotUsable as error:
        raise SetupError(f"FIREBASE_CREDENTIALS_PATH {error}") from error
    sender = FcmSender(key, settings.fcm_url)
    return [
        Route(
            sender,
            store.list_devices,
            store.drop_device,
            channel="fcm",
            label=lambda device: device.device_name or device.platform,
            retract=sender.retract,
        )
    ]


async def open_started_store(database_url: str, *, reads_only: bool = False) -> SqlStore:
    """
    Return the store alone, for a command that serves nobody.

    Args:
        database_url: As the settings have it.
        reads_only: Whether nothing is to be written; then the database is left as it is, at its revision, too.

    Raises:
        StartError: The database can't be opened.
    """
    store = _open_store(database_url)
    with explained(database_url):
        await (store.start_reading() if reads_only else store.start())
    return store


def kept_by(settings: Settings) -> Kept:
    """Return how long is kept what an operator may set."""
    return Kept(settings.keep_events_days, settings.keep_traces_days)


def open_journeys(store: Store, settings: Settings) -> Journeys:
    """Return the trace of notifications as far as the database tells it."""
    assert isinstance(store, SqlStore), "all stores that can be opened are"
    return Journeys(SqlJourneys(store), Ladders(settings.push_ladder), kept=kept_by(settings))


def open_insight(core: Core) -> Insight:
    """Return what an operator sees of a server and its siblings."""
    assert isinstance(core.store, SqlStore), "all stores that can be opened are"
    nodes = Nodes(core.bus, is_shared=core.settings.redis_url is not None)
    admin = Admin(nodes, core.store, core.notifications, core.presence)
    return Insight(SqlJourneys(core.store), Ladders(core.settings.push_ladder), nodes, admin, core.kept)


def _open_store(database_url: str, lang: Lang = "en") -> SqlStore:
    try:
        return open_store(database_url, lang)
    except ValueError as error:
        raise SetupError(f"{error}; see TOCSIN_DATABASE_URL") from error


@contextmanager
def explained(database_url: str) -> Generator[None, None, None]:
    """Turn what a database says when it can't be opened into a StartError."""
    try:
        yield
    except SchemaError as error:
        raise StartError(str(error)) from error
    except (sqlite3.Error, SQLAlchemyError, OSError, TocsinError) as error:
        reason = str(error).partition("\n")[0]
        where = make_url(database_url).render_as_string()  # without the password
        raise StartError(f"the database {where} can't be opened: {reason}; see TOCSIN_DATABASE_URL") from error


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the fastest event loop of this platform."""
    try:
        import uvloop  # noqa: PLC0415 there is none for Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
