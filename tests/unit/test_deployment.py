"""The files of ``deploy/``: every path, setting and timeout in them is one that there is."""

import re
import shlex
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from tests.certificates import self_signed
from tocsin.rest.tls import Certificate
from tocsin.settings import Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]


def known_names():
    names = set()
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        names.add(f"TOCSIN_{field.upper()}" if alias is None else str(alias.choices[0]))
    return names


def instructions():
    """Return the instructions of the Dockerfile, as (name, arguments)."""
    text = (DEPLOY / "docker/Dockerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    return [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]


def unit():
    """Return the keys of the systemd unit with their last values."""
    lines = (DEPLOY / "systemd/tocsin.service").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def duration_s(text, name):
    """Return the seconds of ``name 60s`` in a proxy's file, each time it is there."""
    return [int(found) for found in re.findall(rf"{name}\s+(\d+)s", text)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_that_is_named_is_one(path):
    """A setting that there is not would be overlooked without a word."""
    named = set(re.findall(r"\b(?:TOCSIN_[A-Z_]+|SOCKETIO_[A-Z_]+)\b", path.read_text()))

    assert named - {"TOCSIN_NAME"} <= known_names()


def test_what_the_image_copies_is_in_the_repository():
    """And is let in by the file that keeps out all the rest."""
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    ignored = (DEPLOY / "docker/Dockerfile.dockerignore").read_text().split()
    copied = [
        source
        for name, arguments in instructions()
        if name == "COPY" and "--from" not in arguments
        for source in shlex.split(arguments)[:-1]
    ]

    assert copied
    for source in copied:
        assert any(f"{path}/".startswith(f"{source}/") for path in tracked), source
        assert any(source == entry[1:] or source.startswith(f"{entry[1:]}/") for entry in ignored if entry[0] == "!")


def test_each_stage_that_is_copied_from_is_there_before():
    stages = set()
    for name, arguments in instructions():
        if name == "FROM":
            stages |= set(re.findall(r" AS (\w+)", arguments))
        for stage in re.findall(r"--from=(\w+)", arguments):
            assert stage in stages


def test_the_image_runs_the_command_as_nobody_in_particular():
    last = [name for name, _ in instructions()]
    named = dict(instructions())

    assert last.index("USER", last.index("ENTRYPOINT") - 10) < last.index("ENTRYPOINT")
    assert "tocsin" == named["USER"]
    assert '["tocsin"]' == named["ENTRYPOINT"]
    assert "/healthz" in named["HEALTHCHECK"]
    compile(yaml.safe_load(named["HEALTHCHECK"].partition(" CMD ")[2])[2], "HEALTHCHECK", "exec")


@pytest.mark.parametrize("is_tls", [False, True])
def test_the_health_of_the_image_is_asked_of_itself(tmp_path, is_tls):
    """Docker gives a proxy for the world to every container of a company's machine; the server may serve TLS."""

    class Healthy(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    _, _, code = yaml.safe_load(dict(instructions())["HEALTHCHECK"].partition(" CMD ")[2])
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        env = {"TOCSIN_PORT": str(server.server_port)} | dict.fromkeys(
            ("http_proxy", "https_proxy"), "http://127.0.0.1:9"
        )
        if is_tls:
            certificate = self_signed(tmp_path)
            server.socket = Certificate(certificate).context.wrap_socket(server.socket, server_side=True)
            env["TOCSIN_TLS_CERTIFICATE"] = str(certificate)
        threading.Thread(target=server.serve_forever).start()
        done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=False)
        server.shutdown()

    assert 0 == done.returncode, done.stderr


def test_the_compose_file_holds_together():
    """Its services, volumes and files are there, and a node may take its time to drain."""
    compose = yaml.safe_load((DEPLOY / "docker/compose.yaml").read_text())
    services = compose["services"]

    assert (ROOT / services["node1"]["build"]["dockerfile"]).is_file()
    assert (DEPLOY / "docker" / services["node1"]["build"]["context"]).resolve() == ROOT
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            assert source in compose["volumes"] or (DEPLOY / "docker" / source).is_file()
    for node in ("node1", "node2"):
        # Compose puts in what the operator has exported.
        given = {
            name.removeprefix("TOCSIN_").lower(): re.sub(
                r"\$\{\w+(:\?[^}]*)?\}", "exported-by-whoever-runs-it-00000", value
            )
            for name, value in services[node]["environment"].items()
        }
        Settings(_env_file=None, **given)
        assert 30 < int(services[node]["stop_grace_period"].removesuffix("s"))
        assert f"{node}:8000" in (DEPLOY / "nginx/nginx.conf").read_text()


def test_the_unit_waits_for_the_server():
    """It tells when it is ready, drains, replaces its workers on SIGHUP, and is not restarted for a bad setting."""
    keys = unit()

    assert "notify" == keys["Type"]
    assert keys["ExecStart"].endswith("/tocsin serve")
    assert "-HUP" in keys["ExecReload"]
    assert "mixed" == keys["KillMode"]
    assert "2" == keys["RestartPreventExitStatus"]
    assert 30 < int(keys["TimeoutStopSec"])


def test_the_unit_is_started_again_whatever_happens():
    """Also by a database that comes up a minute after it, and when it hangs."""
    keys = unit()

    assert "always" == keys["Restart"]
    assert "0" == keys["StartLimitIntervalSec"]
    assert 60 == int(keys["WatchdogSec"])


def test_the_proxies_wait_longer_than_the_server():
    """Whether a client is gone is for the server to say, and a kept connection is the proxy's to end."""
    defaults = Settings(_env_file=None)
    silence = defaults.ping_interval + defaults.ping_timeout
    nginx = (DEPLOY / "nginx/nginx.conf").read_text()
    haproxy = (DEPLOY / "haproxy/haproxy.cfg").read_text()
    socket = nginx[nginx.index("location /socket.io/") :]

    assert silence < duration_s(socket, "proxy_read_timeout")[0]
    assert silence < duration_s(socket, "proxy_send_timeout")[0]
    assert silence < duration_s(haproxy, "timeout tunnel")[0]
    assert [True] == [timeout < 30 for timeout in duration_s(nginx, " keepalive_timeout")]
    assert [True] == [timeout < 30 for timeout in duration_s(haproxy, "timeout http-keep-alive")]
    assert "/readyz" in haproxy
