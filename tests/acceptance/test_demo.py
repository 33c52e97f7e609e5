"""``tocsin demo`` as a process: what it keeps, what it prints, and whom its routes answer."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

TOCSIN = str(Path(sys.executable).with_name("tocsin"))
START_S = 40.0


class DemoProcess:
    """A demo with its state in a folder; ``url`` is where it says that it listens."""

    def __init__(self, folder: Path, *arguments: str, **environment: str) -> None:
        environment = {"TOCSIN_PORT": "0", **environment}
        self.log = folder.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [TOCSIN, "demo", "--state", str(folder), *arguments],
                env={**os.environ, **environment},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.url = self._wait_for_url()

    def _wait_for_url(self) -> str:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            printed = self.log.read_text()
            if "\n" in printed and "Tocsin demo on " in printed:
                return printed.partition("Tocsin demo on ")[2].split()[0]
            time.sleep(0.05)
        self.process.kill()
        raise RuntimeError(f"the demo did not start:\n{self.log.read_text()}")

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, trust_env=False, timeout=20)

    def session(self) -> dict:
        return self.get("/demo/session").json()

    def post(self, path: str, token: str, body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(self.url + path, headers=headers, json=body, trust_env=False, timeout=20)

    def inbox(self, index: int) -> list[str]:
        token = self.session()["users"][index]["token"]
        answer = self.get("/api/notifications", Authorization=f"Bearer {token}").json()
        return [notification["title"] for notification in answer["notifications"]]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Iterator[DemoProcess]:
    running = DemoProcess(tmp_path_factory.mktemp("demo") / "state")
    yield running
    running.stop()


def test_it_listens_on_this_machine_only(demo):
    """The URL it prints is loopback, whatever TOCSIN_HOST says."""
    assert "127.0.0.1" == httpx.URL(demo.url).host


def test_the_front_is_the_page(demo):
    """The page comes with a policy that runs no inline script."""
    front = demo.get("/")

    assert 200 == front.status_code
    assert "text/html; charset=utf-8" == front.headers["content-type"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in front.headers["content-security-policy"]
    assert front.headers["content-security-policy"].count("unsafe") == 1


def test_a_session_holds_two_users_and_a_back_end(demo):
    """Each user's token opens that user's inbox; the third may publish."""
    session = demo.session()

    assert ["Mina", "준호 (Junho)"] == [user["name"] for user in session["users"]]
    body = {"user_id": session["users"][0]["id"], "type": "t", "title": "Hi", "message": ""}
    assert 201 == demo.post("/api/notifications", session["publish_token"], body).status_code
    assert 403 == demo.post("/api/notifications", session["users"][0]["token"], body).status_code


def test_a_session_opens_the_dashboard(demo):
    """With a token that sees everything and publishes nothing."""
    token = demo.session()["admin_token"]
    headers = {"Authorization": f"Bearer {token}"}

    assert 200 == httpx.get(f"{demo.url}/api/admin/overview", headers=headers).status_code
    body = {"user_id": 1, "type": "t", "title": "Hi", "message": ""}
    assert 403 == demo.post("/api/notifications", token, body).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example"},
        {"Host": "127.0.0.1.example:8000"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"X-Forwarded-Host": "demo.example"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/", "/demo/session"])
def test_nobody_but_its_own_page_gets_tokens(demo, path, headers):
    """A foreign page, a rebound name and whoever comes through a proxy are refused."""
    answer = demo.get(path, **headers)

    assert 403 == answer.status_code
    assert "token" not in answer.text


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST", "127.0.0.1"])
def test_every_name_of_this_machine_will_do(demo, name):
    """The Host is compared without its port and its case."""
    port = httpx.URL(demo.url).port

    assert 200 == demo.get("/demo/session", Host=f"{name}:{port}").status_code


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/demo/plug", {"user_id": "stranger", "seconds": 1}, 404),
        ("/demo/plug", {"user_id": 1, "seconds": 0}, 422),
        ("/demo/plug", {"user_id": 1, "seconds": 61}, 422),
        ("/demo/plug", {"user_id": 1}, 422),
        ("/demo/posts", {"text": ""}, 422),
        ("/demo/posts", {"text": "x" * 201}, 422),
        ("/demo/posts", [], 422),
    ],
)
def test_its_routes_are_as_strict_as_the_others(demo, path, body, status):
    """What breaks a rule is refused by a problem object."""
    answer = demo.post(path, demo.session()["publish_token"], body)

    assert status == answer.status_code
    assert "application/problem+json" == answer.headers["content-type"]


def test_its_routes_are_not_in_the_api_document(demo):
    """A product has none of them."""
    assert "/demo" not in json.dumps(demo.get("/openapi.json").json()["paths"])


def test_serve_has_no_demo_route(server):
    """Neither the page's files, nor its tokens, nor its plug are there."""
    assert 404 == server.http.get("/demo/demo.js").status_code
    assert 404 == server.http.get("/demo/session").status_code
    assert 404 == server.http.post("/demo/plug", json={}).status_code


def test_a_taken_port_is_told_in_one_line(tmp_path):
    """The line names the port and the setting."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [TOCSIN, "demo", "--state", str(tmp_path)],
            env={**os.environ, "TOCSIN_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )

    assert 1 == done.returncode
    assert 1 == len(done.stderr.splitlines())
    assert str(port) in done.stderr
    assert "TOCSIN_PORT" in done.stderr


def test_its_state_outlives_it_and_its_secret_is_its_owners(tmp_path):
    """Tokens and inboxes of the last run are good in the next; --fresh forgets the inboxes."""
    folder = tmp_path / "state"
    first = DemoProcess(folder)
    before = first.session()["users"][0]
    body = {"user_id": before["id"], "type": "t", "title": "Remember me", "message": ""}
    assert 201 == first.post("/api/notifications", first.session()["publish_token"], body).status_code
    assert 0 == first.stop()
    assert 0o600 == (folder / "secret").stat().st_mode & 0o777

    second = DemoProcess(folder)
    bearer = f"Bearer {before['token']}"
    assert 200 == second.get("/api/notifications/stats", Authorization=bearer).status_code
    assert "Remember me" in second.inbox(0)
    assert 0 == second.stop()

    third = DemoProcess(folder, "--fresh")
    assert "Remember me" not in third.inbox(0)
    assert 0 == third.stop()


def test_a_real_servers_settings_do_not_touch_it(tmp_path):
    """Keys, issuer and host of the environment are another server's."""
    demo = DemoProcess(
        tmp_path / "state",
        TOCSIN_JWT_SECRET="the secret of a real server, which the demo leaves alone",
        TOCSIN_JWT_ISSUER="https://real.example",
        TOCSIN_HOST="0.0.0.0",
        TOCSIN_DATABASE_URL=f"sqlite:///{tmp_path / 'real.db'}",
    )
    try:
        assert "127.0.0.1" == httpx.URL(demo.url).host
        token = demo.session()["users"][0]["token"]
        assert 200 == demo.get("/api/notifications", Authorization=f"Bearer {token}").status_code
        assert not (tmp_path / "real.db").exists()
    finally:
        demo.stop()
