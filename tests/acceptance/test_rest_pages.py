"""Pages, static files and the OpenAPI document over a real connection."""

import re

import pytest

import tocsin
from tocsin.rest import static_files


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/healthz", "/nowhere", "/api/notifications"])
def test_every_answer_forbids_guessing_its_type(shared_server, path):
    """nosniff, a policy and no referrer go with every answer, also with refusals."""
    headers = shared_server.http.get(path).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_the_docs_page_runs_no_inline_script_and_asks_no_cdn(shared_server):
    """The docs page loads scripts from this server alone, and its policy allows no others."""
    answer = shared_server.http.get("/docs")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert policy["script-src"] == "'self'"
    assert re.findall(r"<script>|<style>|\son\w+=|https?://", answer.text) == []


@pytest.fixture
def built(tmp_path, monkeypatch, start_server):
    """A server whose browser part is a stand-in for what `web/` builds."""
    files = {
        "js/websocket.js": "window.ws = {};",
        "js/tocsin-sw.js": "addEventListener('push', () => {});",
        "docs/swagger-ui.css": "body {}",
        "docs/swagger-ui-bundle.js": "window.SwaggerUIBundle = () => {};",
        "docs/init.js": "SwaggerUIBundle({});",
        "demo/index.html": "<title>Demo</title>",
        "admin/index.html": "<title>Dashboard</title>",
        "admin/admin.js": "document.title;",
    }
    for name, text in files.items():
        path = tmp_path / "static" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "secret.txt").write_text("not served")
    monkeypatch.setattr(static_files, "STATIC", tmp_path / "static")
    return start_server()


def test_what_the_docs_page_loads_is_there(built):
    """Each script and style of the docs page is served with its type."""
    page = built.http.get("/docs").text
    answers = [built.http.get(path) for path in re.findall(r'(?:src|href)="([^"]+)"', page)]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer.headers["content-type"].split(";")[0] for answer in answers] == [
        "text/css",
        "text/javascript",
        "text/javascript",
    ]


def test_the_browser_client_is_served(built):
    """/js/websocket.js is JavaScript that a browser revalidates by its ETag."""
    answer = built.http.get("/js/websocket.js")
    again = built.http.get("/js/websocket.js", headers={"If-None-Match": answer.headers["etag"]})

    assert (answer.status_code, answer.text) == (200, "window.ws = {};")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    assert again.status_code == 304


def test_the_service_worker_is_served_at_the_root(built):
    """/tocsin-sw.js may have any scope, is revalidated by its ETag, and may ask this server and nobody else."""
    answer = built.http.get("/tocsin-sw.js")
    again = built.http.get("/tocsin-sw.js", headers={"If-None-Match": answer.headers["etag"]})

    assert (answer.status_code, answer.text) == (200, "addEventListener('push', () => {});")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["service-worker-allowed"] == "/"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["content-security-policy"] == "default-src 'none'; connect-src 'self'"
    assert again.status_code == 304


def test_a_service_worker_that_is_not_built_is_not_found(built):
    """Without the browser part its path answers 404 like any other file."""
    (static_files.STATIC / "js" / "tocsin-sw.js").unlink()

    assert 404 == built.http.get("/tocsin-sw.js").status_code


@pytest.mark.parametrize("path", ["/admin", "/tocsin/admin"])
def test_the_dashboard_is_for_anybody_and_runs_no_inline_script(built, path):
    """The page holds nothing; its policy allows this server's scripts alone, and its files are served beside it."""
    answer = built.http.get(path)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))

    assert (answer.status_code, answer.text) == (200, "<title>Dashboard</title>")
    assert ("'self'", "'self'", "'self'") == (policy["script-src"], policy["style-src"], policy["connect-src"])
    assert 200 == built.http.get("/tocsin/admin/admin.js").status_code
    assert 404 == built.http.get("/admin/admin.js").status_code


def test_the_demo_is_not_served(built):
    """A server in earnest has no demo page: it hands out no tokens that the page could use."""
    assert 404 == built.http.get("/demo/index.html").status_code


@pytest.mark.parametrize(
    "path", ["/js/../../secret.txt", "/js/%2e%2e/%2e%2e/secret.txt", "/js/..%2f..%2fsecret.txt", "/js/"]
)
def test_nothing_else_is_served(built, path):
    """No path leads out of the static folders or lists one."""
    status_line, _, rest = built.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()).partition(
        b"\r\n"
    )

    assert status_line.split(b" ")[1] == b"404"
    assert b"not served" not in rest


def test_the_openapi_document_describes_every_route(shared_server):
    """OpenAPI 3.1 with the guide's routes, bearer security, and problem+json refusals."""
    document = shared_server.http.get("/openapi.json").json()
    operations = {(method.upper(), path) for path, item in document["paths"].items() for method in item}

    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == tocsin.__version__
    assert operations == {
        ("GET", "/api/notifications"),
        ("POST", "/api/notifications"),
        ("GET", "/api/notifications/stats"),
        ("POST", "/api/notifications/read-all"),
        ("GET", "/api/notifications/{notification_id}"),
        ("PUT", "/api/notifications/{notification_id}/read"),
        ("DELETE", "/api/notifications/{notification_id}"),
        ("POST", "/api/events"),
        ("POST", "/api/sessions/revoke"),
        ("GET", "/api/stream/{namespace}"),
        ("POST", "/api/fcm/register-device"),
        ("POST", "/api/fcm/unregister-device"),
        ("POST", "/api/fcm/unregister-all"),
        ("POST", "/api/fcm/subscribe-topic"),
        ("POST", "/api/fcm/unsubscribe-topic"),
        ("GET", "/api/fcm/device-list"),
        ("GET", "/api/webpush/public-key"),
        ("POST", "/api/webpush/subscriptions"),
        ("DELETE", "/api/webpush/subscriptions"),
        ("POST", "/api/webpush/receipts"),
        ("GET", "/api/notifications/{notification_id}/trace"),
        ("GET", "/api/jobs/{job_id}"),
        ("GET", "/api/admin/overview"),
        ("GET", "/api/admin/sessions"),
        ("DELETE", "/api/admin/sessions/{session_id}"),
        ("GET", "/api/admin/user"),
        ("GET", "/api/admin/notifications"),
        ("POST", "/api/admin/test"),
        ("POST", "/api/notifications/archive-all"),
        ("GET", "/api/notifications/scheduled"),
        ("PATCH", "/api/notifications/{notification_id}"),
        ("POST", "/api/notifications/{notification_id}/claim"),
        ("GET", "/api/preferences"),
        ("PUT", "/api/preferences"),
        ("PUT", "/api/preferences/defaults"),
        ("GET", "/api/templates"),
        ("PUT", "/api/templates/{name}"),
        ("DELETE", "/api/templates/{name}"),
        ("POST", "/api/channels"),
        ("GET", "/api/channels"),
        ("DELETE", "/api/channels/{channel_id}"),
        ("POST", "/api/chat/messages"),
        ("GET", "/api/chat/messages"),
        ("PATCH", "/api/chat/messages/{message_id}"),
        ("DELETE", "/api/chat/messages/{message_id}"),
        ("GET", "/api/chat/conversations"),
        ("PUT", "/api/chat/conversations/{user_id}/read"),
        ("GET", "/api/chat/blocks"),
        ("PUT", "/api/chat/blocks/{user_id}"),
        ("DELETE", "/api/chat/blocks/{user_id}"),
        ("GET", "/api/chat/presence"),
        ("POST", "/api/e2ee/keys"),
        ("GET", "/api/e2ee/keys"),
        ("POST", "/api/e2ee/keys/query"),
        ("POST", "/api/e2ee/keys/claim"),
        ("POST", "/api/e2ee/to-device"),
        ("GET", "/api/e2ee/inbox"),
        ("DELETE", "/api/e2ee/inbox"),
        ("DELETE", "/api/e2ee/devices/{device_id}"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/readyz"),
        ("GET", "/api/users/{user_id}/export"),
        ("GET", "/api/users/{user_id}/erasure"),
        ("DELETE", "/api/users/{user_id}"),
    }
    for path, item in document["paths"].items():
        for operation in item.values():
            assert ("security" in operation) == path.startswith("/api/")
            # The signature of a receipt is its authorization: a service worker has no token.
            assert (operation.get("security") == []) == (path == "/api/webpush/receipts")
            for status, response in operation["responses"].items():
                if status >= "4":
                    named = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
                    assert list(named["content"]) == ["application/problem+json"]


def test_every_reference_of_the_document_resolves(shared_server):
    """The document names no schema that it lacks, and has none that nothing names."""
    answer = shared_server.http.get("/openapi.json")
    referenced = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))

    assert referenced == set(answer.json()["components"]["schemas"])
