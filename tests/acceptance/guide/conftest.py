"""The guide's application as a process of its own, and what its reader does with it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

HERE = Path(__file__).parent
SECRET = "the secret key of a Flask application, long enough"
NAMESPACES = ["/sns", "/orders", "/chat", "/notifications"]


class GuideHost:
    """
    ``python -m backend.app``, started in a folder of its own.

    Attributes:
        url: Where it listens.
        http: A client of it.
    """

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_"))},
            "DATABASE_URL": f"sqlite:///{folder / 'softfactory.db'}",
            "SECRET_KEY": SECRET,
            "PORT": str(port),
            "PYTHONPATH": str(HERE),
            "PYTHONWARNINGS": "error::UserWarning",
            "TOCSIN_DRAIN_S": "0",
            **environment,
        }
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=20)
        self._process: subprocess.Popen[str]

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "backend.app"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"the guide's application ended:\n{self._process.communicate()[0]}")
            try:
                self.http.get("/healthz")
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("the guide's application does not answer")

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Stop it as Ctrl-C does; return its status and what it has said."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        said, _ = self._process.communicate(timeout=30)
        return self._process.returncode, said

    def flask(self, *arguments: str) -> str:
        """Run ``flask …`` on the application and return what it says."""
        done = subprocess.run(
            [sys.executable, "-m", "flask", "--app", "backend.app", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def python(self, script: str) -> str:
        """Run a script in the application's surroundings, as a cron job would, and return what it prints."""
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a function of the back end in one of its views."""
        answer = self.http.post(f"/call/{name}", json={"args": args, "kwargs": kwargs})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def token(self, user_id: int | str, **claims: Any) -> str:
        """Return the token that the application's login would hand out."""
        return jwt.encode({"sub": str(user_id), "exp": int(time.time()) + 3600, **claims}, SECRET, "HS256")

    def bearer(self, user_id: int | str, **claims: Any) -> dict[str, str]:
        """Return request headers with a token."""
        return {"Authorization": f"Bearer {self.token(user_id, **claims)}"}


@pytest.fixture(scope="package")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuideHost]:
    """Return the running application with the guide's settings."""
    host = GuideHost(
        tmp_path_factory.mktemp("softfactory"),
        SOCKETIO_ASYNC_MODE="threading",
        SOCKETIO_PING_TIMEOUT="60",
        SOCKETIO_PING_INTERVAL="25",
    )
    host.start()
    try:
        yield host
    finally:
        host.stop()
        host.http.close()


@pytest.fixture
def new_guide(tmp_path: Path) -> Iterator[Callable[..., GuideHost]]:
    """Make applications with an environment of one's own; they are not started."""
    hosts: list[GuideHost] = []

    def make(**environment: str) -> GuideHost:
        hosts.append(GuideHost(tmp_path, **environment))
        return hosts[-1]

    yield make
    for host in hosts:
        if hasattr(host, "_process"):
            host.stop(signal.SIGKILL)
        host.http.close()
