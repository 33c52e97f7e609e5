"""What a Flask application holds of the server: registration, and one line for what Flask-SocketIO has and we don't."""

import pytest
from flask import Flask

from tocsin.bootstrap import publish_with
from tocsin.domain.errors import Invalid, NotInitialized, PayloadTooBig
from tocsin.websocket_server import SocketIO, broadcast_sns_event, init_websocket
from tocsin.websocket_server.flask_hints import warn_of_hidden_routes

SECRET = "a secret of more than thirty-two bytes, for tests"


@pytest.fixture
def server(tmp_path):
    app = Flask("host")
    return init_websocket(app, jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'x.db'}")


def test_init_websocket_sets_what_the_guide_uses(server, tmp_path):
    """`app.socketio` and the extension are the object; nothing is opened."""
    assert server.app.socketio is server
    assert server.app.extensions["tocsin"] is server
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_told", [False, True])
def test_who_publishes_to_a_file_that_nobody_named_says_so(tmp_path, monkeypatch, caplog, is_told):
    """The server's own may be in another folder, and would hear of nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOCSIN_DATABASE_URL", raising=False)
    init_websocket(Flask("host"), **({"database_url": "sqlite:///tocsin.db"} if is_told else {}))
    try:
        broadcast_sns_event("publish_success", 7)
        broadcast_sns_event("publish_success", 7)
    finally:
        publish_with(None)

    told = [record.getMessage() for record in caplog.records if "TOCSIN_DATABASE_URL" in record.getMessage()]
    assert len(told) == (not is_told)
    assert is_told or str(tmp_path / "tocsin.db") in told[0]


@pytest.mark.parametrize("name", ["on_namespace", "on_error", "send", "call", "test_client", "server"])
def test_a_missing_method_is_one_line(server, name):
    """It names what to use and where more is told."""
    with pytest.raises(AttributeError, match=rf"socketio\.{name} is not had here: .*migrate-from-flask-socketio"):
        getattr(server, name)


@pytest.mark.parametrize("option", ["room", "skip_sid", "include_self", "callback"])
def test_what_emit_cannot_do_is_one_line(server, option):
    """Nothing is sent to the wrong people in silence."""
    with pytest.raises(Invalid, match=rf"emit\({option}=…\)"):
        server.emit("anything", {}, **{option: "x"})


@pytest.mark.parametrize(
    ("event", "namespace", "line"),
    [
        ("connect", "/", "the token decides who connects"),
        ("disconnect", "/chat", "there is no such handler"),
        ("*", "/", "register each by its name"),
        ("send_message", "/chat", "taken by the server itself"),
        ("ack", "/anything", "taken by the server itself"),
        ("x", "no-slash", "namespace"),
    ],
)
def test_a_handler_that_cannot_be_is_refused_where_it_stands(server, event, namespace, line):
    """At registration, before there is a server."""
    with pytest.raises(Invalid, match=line):
        server.on(event, namespace)(lambda data: data)


def test_handlers_are_registered_before_and_after_the_service(server):
    """Order does not matter; an event has one handler."""
    server.on("early")(lambda data: data)
    events = server.service.engine.namespaces["/"].events
    server.on_event("late", lambda data: data)

    @server.event
    def named(data):
        return data

    assert {"early", "late", "named"} <= events.keys()
    with pytest.raises(Invalid, match="handled by"):
        server.on("early")(lambda data: data)


def test_a_second_handler_is_refused_where_it_stands(server):
    """Not at the start of the server."""

    @server.on("twice")
    def one(data):
        return data

    with pytest.raises(Invalid, match=r"'twice' on / is handled by .*one already"):

        @server.on("twice")
        def other(data):
            return data


def test_a_factory_may_make_several_applications(tmp_path):
    """As tests do, with one `SocketIO` of a module: the handlers of the last one are the server's."""
    server = SocketIO(jwt_secret=SECRET, database_url=f"sqlite:///{tmp_path / 'x.db'}")

    def create_app():
        app = Flask("host")
        server.init_app(app)

        @server.on("message")
        def message(data):
            return data

        return app

    for _ in range(3):
        app = create_app()
        assert "message" in server.service.engine.namespaces["/"].events

    assert server.app is app


def test_a_live_event_is_bounded(server):
    """As every other, at the call."""
    with pytest.raises(PayloadTooBig, match="65536"):
        server.emit("anything", "x" * 65_536)


def test_registered_events_need_a_user_or_their_function(server):
    """`emit` publishes what the registry has, durably, and to one user."""
    with pytest.raises(Invalid, match="name it with to="):
        server.emit("publish_success", {}, namespace="/sns")
    with pytest.raises(Invalid, match="use broadcast_notification"):
        server.emit("notification", {}, namespace="/notifications", to=1)


def test_without_an_application_there_are_no_settings():
    """The line says what to call."""
    with pytest.raises(NotInitialized, match=r"init_websocket\(app\)"):
        _ = SocketIO().settings


def test_background_tasks_are_threads(server):
    """As in Flask-SocketIO with threads."""
    done = []
    task = server.start_background_task(done.append, 1)
    task.join(10)
    server.sleep(0)

    assert done == [1]


def test_routes_that_the_server_hides_are_told(server, caplog):
    """One warning each; a longer name is another path."""
    for path in ("/api/notifications", "/api/notifications/<id>", "/api/notifications-of-mine", "/socket.io/x"):
        server.app.add_url_rule(path, path.replace(".", "-"), lambda: "")
    warn_of_hidden_routes(server.app, server.service.rest.is_api)

    told = [record.args[0] for record in caplog.records]
    assert told == ["/api/notifications", "/api/notifications/<id>", "/socket.io/x"]


@pytest.mark.parametrize(("metrics", "told"), [("off", []), ("open", ["/metrics"])])
def test_metrics_of_the_host_are_its_own_where_the_server_has_none(tmp_path, caplog, metrics, told):
    """An application that tells Prometheus of itself gets no warning once the server's own are off."""
    app = Flask("host")
    settings = {"jwt_secret": SECRET, "database_url": f"sqlite:///{tmp_path / 'x.db'}", "metrics": metrics}
    server = init_websocket(app, **settings)
    app.add_url_rule("/metrics", "metrics", lambda: "")
    warn_of_hidden_routes(app, server.service.rest.is_api)

    assert told == [record.args[0] for record in caplog.records]


def test_the_hint_is_for_paths_that_no_view_has(server):
    """A 404 of a view is the application's answer."""

    @server.app.get("/api/events/<int:number>")
    def event(number):
        return {"error": f"there is no event {number}"}, 404

    client = server.app.test_client()

    assert client.get("/api/events/5").json == {"error": "there is no event 5"}
    for path in ("/js/websocket.js", "/socket.io/", "/socket.io", "/api/events"):
        assert "serves no sockets" in client.get(path).json["detail"]
    assert client.get("/socket.ioxx").json is None


def test_a_limit_of_flask_limiter_is_refused_where_it_stands(server):
    """It would fail at each event, outside of an HTTP request."""
    scope = {"__name__": "flask_limiter.extension"}
    exec("def limited(data): pass", scope)

    with pytest.raises(Invalid, match=r"use @socketio\.limit"):
        server.on("anything")(scope["limited"])
