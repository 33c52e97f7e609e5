"""The plug-in for pytest, in sessions of its own: what its fixtures give, and that nobody else notices them."""

import pytest

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.slow

FLASK_APP = """
import os
import pytest
from flask import Flask, request
from tocsin.services.notifications import create_notification
from tocsin.websocket_server import broadcast_order_event, init_websocket

def create_app():
    app = Flask(__name__)
    app.config["SECRET_KEY"] = os.environ["TOCSIN_JWT_SECRET"]
    app.socketio = init_websocket(app)

    @app.socketio.on("publish_start", namespace="/sns")
    def publish(user_id, data):
        return {"queued": data["post_id"], "by": user_id}

    @app.post("/orders/<int:order_id>/ship")
    def ship(order_id):
        broadcast_order_event("order_updated", 7, {"order_id": order_id, "status": "shipped"})
        return {}, 202

    return app

@pytest.fixture
def tocsin_app(tocsin_environment):
    return create_app()
"""


@pytest.fixture(autouse=True)
def settings(pytester):
    """The inner sessions have no settings but strictness."""
    # Apprise asks for a module that is on its way out.
    pytester.makeini("[pytest]\nfilterwarnings =\n    error\n    ignore:'imghdr' is deprecated\n")


# Found by its entry point, with none of the other plug-ins that the tests of Tocsin have.
OTHERS = ["schemathesis", "hypothesispytest", "xdist", "xdist.looponfail", "valkey", "anyio", "asyncio", "platformdirs"]
ALONE = ["-p", "no:cacheprovider", *(part for name in OTHERS for part in ("-p", f"no:{name}"))]


def passes(pytester, count):
    result = pytester.runpytest_subprocess(*ALONE, timeout=90)
    result.assert_outcomes(passed=count)


def test_an_application_is_served(pytester):
    """A test of a Flask application has its views, its handlers and its events on one server."""
    pytester.makeconftest(FLASK_APP)
    pytester.makepyfile("""
        from tocsin.services.notifications import create_notification

        def test_a_shipped_order_is_told(tocsin_client):
            mina, other = tocsin_client(7), tocsin_client(8)
            assert mina.post("/orders/17/ship").status == 202
            assert mina.wait_for("order_updated", "/orders")["order_id"] == 17
            assert other.heard("order_updated") == []

        def test_a_handler_answers(tocsin_client):
            answer = tocsin_client(7).emit("/sns", "publish_start", {"post_id": 3, "platforms": []})
            assert answer == {"ok": True, "queued": 3, "by": 7}

        def test_functions_publish_to_the_server(tocsin_client):
            mina = tocsin_client(7)
            sent = create_notification(7, "order", "Shipped", "It is on its way.")
            assert mina.wait_for("notification", type="order")["id"] == sent["id"]
            assert mina.get("/api/notifications").json["unread_count"] == 1
    """)

    passes(pytester, 3)


def test_an_asgi_application_is_served(pytester):
    """FastAPI under the service, and a service that has a FastAPI application, both answer."""
    pytester.makepyfile("""
        import pytest
        import tocsin
        from fastapi import FastAPI, Request
        from tocsin.testing.client import LiveClient
        from tocsin.testing.server import LiveServer

        def create_app():
            app = FastAPI()

            @app.post("/hello")
            async def hello(request: Request):
                service = request.state.tocsin
                return await service.create_notification(7, "hello", "Hello", "World")

            return app

        def test_both(tocsin_environment):
            for app in (create_app(), tocsin.build().asgi(create_app())):
                with LiveServer(app) as server, LiveClient(server.url, server.token(7)) as mina:
                    assert mina.post("/hello").json["title"] == "Hello"
                    assert mina.wait_for("notification")["title"] == "Hello"
    """)

    passes(pytester, 1)


def test_the_one_application_of_a_module_is_served_to_each_test(pytester):
    """Each time with an empty database; what it emits may be any JSON. One with a service says that it ran already."""
    pytester.makepyfile("""
        import pytest
        import tocsin
        from flask import Flask
        from tocsin.services.notifications import create_notification
        from tocsin.testing.server import LiveServer
        from tocsin.websocket_server import init_websocket

        app = Flask(__name__)
        app.config["SECRET_KEY"] = "a secret for tests, of more than thirty-two bytes"
        socketio = init_websocket(app)

        @app.post("/ship")
        def ship():
            for data in ([1, 2], "three"):
                socketio.emit("tick", data)
            return create_notification(7, "order", "Shipped", "")

        @pytest.fixture
        def tocsin_app():
            return app

        @pytest.mark.parametrize("round", [1, 2])
        def test_shipped(round, tocsin_client):
            mina = tocsin_client(7, namespaces=("/", "/notifications"))
            assert mina.post("/ship").status == 200
            assert [mina.wait_for("tick"), mina.wait_for("tick")] == [[1, 2], "three"]
            assert mina.wait_for("notification")["title"] == "Shipped"
            assert mina.get("/api/notifications/stats").json["total"] == 1

        def test_a_service_twice(tocsin_environment):
            front = tocsin.build().asgi()
            with LiveServer(front):
                pass
            with pytest.raises(tocsin.StartError, match="starts once"), LiveServer(front):
                pass
    """)

    passes(pytester, 3)


def test_settings_take_the_place_of_the_usual_ones(pytester):
    """An issuer's keys that of the secret; None leaves a setting as it is."""
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def tocsin_settings():
            return {"jwks_url": "http://127.0.0.1:9/keys", "jwt_issuer": "https://id.example.com", "redis_url": None}

        def test_it_starts(tocsin_server):
            assert tocsin_server.url
    """)

    passes(pytester, 1)


def test_what_was_missed_is_heard(pytester):
    """A client that was away hears once, in order, what it missed."""
    pytester.makepyfile("""
        def test_missed(tocsin_server, tocsin_client):
            mina = tocsin_client(7)
            mina.disconnect()
            for number in (1, 2):
                tocsin_server.call(tocsin_server.service.publish("/orders", "order_updated", 7, {"order_id": number}))
            mina.connect()
            mina.disconnect()
            mina.connect()
            assert [order["order_id"] for order in mina.heard("order_updated")] == [1, 2]
    """)

    passes(pytester, 1)


def test_the_fakes_are_the_servers_providers(pytester):
    """A push reaches the fake Firebase, browser and mailbox, in whichever order a test names its fixtures."""
    pytester.makepyfile("""
        import pytest
        from tocsin.services.channels import add_channel
        from tocsin.services.fcm_service import register_device, send_push
        from tocsin.services.notifications import create_notification

        @pytest.fixture
        def tocsin_settings():
            return {"push_ladder": "normal: push 0s; urgent: channels 0s"}

        def test_a_phone(tocsin_server, fake_fcm):
            register_device(7, "token-of-a-phone", "android")
            assert send_push(7, "Sale", "Today only") == 1
            assert fake_fcm.sent[0]["notification"]["title"] == "Sale"

        def test_a_browser(tocsin_client, fake_web_push):
            browser = fake_web_push.subscribe()
            mina = tocsin_client(7, namespaces=())
            assert mina.post("/api/webpush/subscriptions", browser.subscription).status == 201
            create_notification(7, "order", "Shipped", "It is on its way.")
            assert browser.wait().payload["title"] == "Shipped"

        def test_a_mailbox(tocsin_server, fake_smtp):
            add_channel(fake_smtp.mail_url("mina@example.com"), user_id=7)
            create_notification(7, "order", "Shipped", "It is on its way.", priority="urgent")
            assert fake_smtp.wait()["Subject"] == "Shipped"
    """)

    passes(pytester, 3)


def test_a_test_leaves_nothing_behind(pytester, monkeypatch):
    """Each test has a database of its own; environment, .env and threads are afterwards as they were before."""
    monkeypatch.setenv("TOCSIN_LANG", "ko")
    pytester.path.joinpath(".env").write_text("TOCSIN_LIMIT_USER_DEVICES=1\n")
    pytester.makeconftest(FLASK_APP)
    pytester.makepyfile("""
        import os
        import threading
        import pytest
        from tocsin.domain.errors import NotInitialized
        from tocsin.services.fcm_service import list_devices, register_device
        from tocsin.services.notifications import create_notification
        from tocsin.settings import Settings

        ROUNDS = [1, 2]

        @pytest.mark.parametrize("round", ROUNDS)
        def test_alone(round, tocsin_client):
            register_device(7, "one", "android")
            register_device(7, "two", "android")
            assert len(list_devices(7)) == 2
            assert create_notification(7, "order", "Shipped", "")["title"] == "Shipped"
            assert tocsin_client(7).get("/api/notifications/stats").json["total"] == 1

        @pytest.mark.parametrize("round", ROUNDS)
        def test_without_a_server(round, tocsin_environment):
            assert "TOCSIN_LANG" not in tocsin_environment
            assert register_device(8, "three", "android")
            assert len(list_devices(8)) == 1

        def test_afterwards():
            assert os.environ["TOCSIN_LANG"] == "ko"
            assert "TOCSIN_DATABASE_URL" not in os.environ
            assert Settings().limit_user_devices == 1
            assert [one.name for one in threading.enumerate() if "tocsin" in one.name] == []
            with pytest.raises(NotInitialized):
                list_devices(7)
    """)

    passes(pytester, 5)


def test_whoever_does_not_use_it_pays_nothing(pytester):
    """A session that asks for none of the fixtures imports nothing of Tocsin but the fixtures' module."""
    pytester.makepyfile("""
        import sys

        def test_modules():
            ours = {name for name in sys.modules if name.partition(".")[0] == "tocsin"}
            assert ours == {"tocsin", "tocsin.testing", "tocsin.testing.plugin"}
            assert not {"fastapi", "pydantic", "sqlalchemy", "uvicorn", "websockets"} & sys.modules.keys()
    """)

    passes(pytester, 1)


def test_a_server_that_cant_start_says_why(pytester):
    """A setting that can't work fails the test that asks for the server, with its one line."""
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def tocsin_settings():
            return {"jwt_secret": "short"}

        def test_anything(tocsin_server):
            pass
    """)

    result = pytester.runpytest_subprocess(*ALONE, timeout=60)

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*TOCSIN_JWT_SECRET has 5 bytes, 32 are the least*"])


def test_a_refusal_says_why(pytester):
    """A client whose token has ended is refused with the server's problem; an event that does not come is told of."""
    pytester.makepyfile("""
        import pytest
        from tocsin.testing.client import LiveClient, Refused

        def test_ended(tocsin_server):
            mina = LiveClient(tocsin_server.url, tocsin_server.token(7, ttl_s=-1))
            with pytest.raises(Refused, match="expired"):
                mina.connect()

        def test_nothing_came(tocsin_client):
            with pytest.raises(AssertionError, match="'order_updated' did not come within 0.1 s; heard: .*synced"):
                tocsin_client(7).wait_for("order_updated", timeout_s=0.1)
    """)

    passes(pytester, 2)
