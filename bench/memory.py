"""
Memory a connection: ``python -m bench.memory``.

The whole product with all that a connection has: a verified token, the room of
its user, a cursor, heartbeats. Resident memory of the servers before the
connections and after they have rested for a heartbeat, divided by their number.
More than one process may hold go to several nodes on one PostgreSQL and a Valkey.
The socket's buffers are the kernel's and not in it.
"""

import argparse
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import generator
from bench.cluster import TOCSIN, Stack, complain, running_stack
from bench.rounds import SECRET
from bench.servers import AVAILABLE, BUILD, Server, running
from bench.tls_relay import relays

A_PROCESS = 19_000
A_RELAY = 9_000
UNDER_WAY = 100
DEADLINE_S = 300.0
REST_S = 30.0


def plain(connections: int) -> float:
    """Return KiB a connection, on as many nodes as the limit of open files asks for."""
    nodes = -(-connections // A_PROCESS)
    stack = Stack(f"{nodes} nodes", nodes=nodes, has_postgres=nodes > 1)
    each = connections // nodes
    with running_stack(stack, connections) as now:
        few = max(1, each // 50)
        complain(now.all(lambda load: load.connect(few, UNDER_WAY, DEADLINE_S)), "the warm-up")
        for load in now.loads:
            load.drop()
        time.sleep(2)
        before = resident(now.servers)
        complain(now.all(lambda load: load.connect(each, UNDER_WAY, DEADLINE_S)), "connections")
        time.sleep(REST_S)
        return (resident(now.servers) - before) / (each * nodes)


def encrypted(connections: int) -> float:
    """Return the same with TLS, in one process."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(dir=BUILD)))
        settings = {"TOCSIN_TLS_CERTIFICATE": str(self_signed(folder))}
        server = parts.enter_context(running(TOCSIN, SECRET, folder, settings, on=AVAILABLE))
        generator.write_inputs(folder, connections, SECRET)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        count = -(-connections // A_RELAY)
        parts.enter_context(relays(count, port, server.port, folder / "certificate.pem"))
        load = parts.enter_context(generator.generating(port, folder, BUILD / "generator.log", on=AVAILABLE))
        load.connect(max(1, connections // 50), UNDER_WAY, DEADLINE_S)
        load.drop()
        time.sleep(2)
        before = resident([server])
        complain([load.connect(connections, UNDER_WAY, DEADLINE_S)], "connections")
        time.sleep(REST_S)
        return (resident([server]) - before) / connections


def resident(servers: list[Server]) -> int:
    """Return their resident memory in KiB."""
    return sum(server.rss_kib() for server in servers)


def self_signed(folder: Path) -> Path:
    """Make a certificate of ``localhost``; return the file of it and its key."""
    path = folder / "certificate.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            *curve,
            "-nodes",
            "-days",
            "1",
            *subject,
            "-keyout",
            path,
            "-out",
            folder / "chain",
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )
    path.write_bytes(path.read_bytes() + (folder / "chain").read_bytes())
    return path


def main() -> None:
    """Print one row a number of connections."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__)
    parser.add_argument("--connections", type=int, nargs="+", default=[1_000, 10_000, 50_000])
    given = parser.parse_args()
    generator.compile_all()
    print("| connections | nodes | KiB a connection | with TLS |\n|--:|--:|--:|--:|")
    for connections in given.connections:
        nodes = -(-connections // A_PROCESS)
        with_tls = f"{encrypted(connections):.1f}" if nodes == 1 else "-"
        print(f"| {connections:,} | {nodes} | {plain(connections):.2f} | {with_tls} |", flush=True)


if __name__ == "__main__":
    main()
