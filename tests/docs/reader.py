"""A reader who does what a page says, from top to bottom, in a folder of their own."""

import ast
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

from tests.docs.snippets import Snippet
from tests.docs.terminal import Failed, Terminals
from tests.proxies import check_haproxy, check_nginx
from tocsin.adapters.jwt_tokens import issue_token
from tocsin.domain.user_id import UserId
from tocsin.settings import Settings

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ESBUILD = ROOT / "web/node_modules/.bin/esbuild"
SECRET = "a secret for readers, of more than thirty-two bytes"
SCRIPTS = ["websocket", "elements", "push", "chat"]
PACKAGES = ["elements", "inbox", "push", "chat", "react", "shared"]
PORTS = ("8000", "5000", "5500")


class Pipe:
    """A process that answers each line of JSON with one."""

    def __init__(self, *command: str, cwd: Path, env: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise Failed(f"the process has ended: {question}")
        return json.loads(answer)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)


class Reader:
    """
    Follows pages; a context manager.

    Args:
        folder: Where they begin.
        env: The environment that they begin with.
        words: What a page names and this machine has elsewhere, such as a host; replaced in all code.
        limit_s: Seconds that what is typed at once may take.
    """

    def __init__(self, folder: Path, env: dict[str, str], words: Mapping[str, str], limit_s: float = 60) -> None:
        self.folder = folder
        self._words = words
        self._open = ExitStack()
        self.terminals = self._open.enter_context(Terminals(folder, env, limit_s))
        self._pipes: dict[str, Pipe] = {}
        self._prelude = ""
        self._run: dict[str, Callable[[str], object]] = {
            "sh": self.terminals.type,
            "python": self._python,
            "html": self._show,
            "js": self._script,
            "jsx": self._bundle,
            "css": lambda text: self._esbuild(text, "--loader=css"),
            "json": json.loads,
            "nginx": lambda text: self._refused(check_nginx(text, self.folder)),
            "haproxy": lambda text: self._refused(check_haproxy(text, self.folder)),
            "browser": lambda text: self._browse({"code": text}),
            "press": lambda text: self.terminals.press(text.strip()),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def follow(self, snippet: Snippet) -> None:
        """
        Do what a snippet says.

        Raises:
            Failed: It does not work.
        """
        text = snippet.text
        for word, ours in self._words.items():
            text = text.replace(word, ours)
        try:
            self._follow(snippet, text)
        except (Failed, SyntaxError, ValueError) as error:
            raise Failed(f"{snippet.place}: {error}") from None

    def _follow(self, snippet: Snippet, text: str) -> None:
        if snippet.file_name is not None:
            folder, _ = self.terminals.state()
            (folder / snippet.file_name).parent.mkdir(exist_ok=True)
            (folder / snippet.file_name).write_text(text, encoding="utf-8")
            if snippet.language == "python":
                compile(text, snippet.file_name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        elif snippet.mark == "send":
            self._send(snippet.value, text)
        elif snippet.mark == "terminal":
            self.terminals.type(text, snippet.value)
        elif snippet.mark:
            raise Failed(f"there is no mark {snippet.mark!r}")
        elif snippet.language not in self._run:
            raise Failed(f"{snippet.language} can't be run: mark it `<!-- snippet skip: why -->`")
        elif snippet.is_hidden and snippet.language == "js":
            self._prelude = text
        else:
            self._run[snippet.language](text)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._words['8000']}"

    def _token(self, scope: str = "") -> str:
        _, env = self.terminals.state()
        secret = env.get("TOCSIN_JWT_SECRET") or env.get("SECRET_KEY") or SECRET
        settings = Settings(_env_file=None, jwt_secret=secret, jwt_public_key=None)
        return issue_token(settings, UserId("7"), ttl_s=600, scope=scope)

    def _pipe(self, name: str, *command: str, **env: str) -> Pipe:
        if name not in self._pipes:
            folder, variables = self.terminals.state()
            pipe = self._pipes[name] = Pipe(*command, cwd=folder, env=variables | env)
            self._open.callback(pipe.close)
        return self._pipes[name]

    def _python(self, text: str) -> None:
        wrong = self._pipe("python", sys.executable, str(HERE / "repl.py")).ask(text)
        if wrong is not None:
            raise Failed(f"{text}\n{wrong}")

    def _browse(self, step: dict[str, Any]) -> None:
        node = shutil.which("node") or "node"
        wrong = self._pipe("browser", node, str(HERE / "browser.mjs")).ask(step)
        if wrong:
            raise Failed(f"{step}\n" + "\n".join(wrong))

    def _show(self, text: str) -> None:
        # What says nothing of scripts stands on a page that has them.
        tags = "" if "<script" in text else _tags("websocket", "elements")
        self._browse({"html": tags + text, "url": self.url, "token": self._token()})

    def _script(self, text: str) -> None:
        if re.search(r"^import ", text, re.MULTILINE):
            self._bundle(text)
            return
        # A comment before it gives it what it needs; what is called `finish` there is awaited at its end.
        script = f"{self._prelude}\n{text}\nif (typeof finish === 'function') await finish();"
        self._prelude = ""
        self._browse({"html": _tags(*SCRIPTS), "url": self.url, "token": self._token(), "script": script})

    def _bundle(self, text: str) -> None:
        packages = {"client": "@tocsin/client"} | {name: f"@tocsin/client/{name}" for name in PACKAGES}
        aliases = [f"--alias:{package}=./src/{name}/index.ts" for name, package in packages.items()]
        self._esbuild(text, "--loader=tsx", "--bundle", "--format=esm", "--platform=browser", *aliases)

    def _esbuild(self, text: str, *options: str) -> None:
        done = subprocess.run(
            [ESBUILD, *options, "--log-level=warning"],
            cwd=ROOT / "web",
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode or done.stderr:
            raise Failed(f"{text}\n{done.stderr}")

    def _refused(self, wrong: str) -> None:
        if wrong:
            raise Failed(wrong)

    def _send(self, where: str, text: str) -> None:
        method, path = where.split(" ")
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        headers = {"Authorization": f"Bearer {self._token('publish')}", "Content-Type": "application/json"}
        connection.request(method, path, text.encode(), headers)
        answer = connection.getresponse()
        told = answer.read().decode()
        connection.close()
        if answer.status >= 300:
            raise Failed(f"{where}: {answer.status} {told}")


def _tags(*names: str) -> str:
    return "".join(f'<script src="/js/{name}.js"></script>' for name in names)


def free_ports() -> dict[str, str]:
    """Return a free port for each that pages name, none that the system gives to somebody's outgoing connection."""
    found: list[str] = []
    while len(found) < len(PORTS):
        port = random.randint(20_000, 32_000)
        with suppress(OSError), socket.create_server(("0.0.0.0", port)):
            found.append(str(port))
    return dict(zip(PORTS, found, strict=True))


def bare_environment() -> dict[str, str]:
    """Return this process's environment without anybody's settings."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TOCSIN_", "SOCKETIO_", "FLASK_", "FIREBASE_", "PYTEST_"))
    }
