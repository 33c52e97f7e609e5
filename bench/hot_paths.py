"""
Where the time of the hot paths goes: ``python -m bench.hot_paths``.

Runs a handshake, an emit, a broadcast and a POST many times under Python's own
profiler, a path a server, and adds up the calls by the part of the code that
made them; what C does counts for its caller. The profiler makes each call dearer,
so the shares are the point, beside them the CPU time without it.
"""

import argparse
import cProfile
import os
import pstats
import runpy
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from bench import generator
from bench.generator import Answer, Generator
from bench.rounds import SECRET
from bench.servers import BUILD, PEERS, Peer, Server, running

CONNECTIONS = 2_000
DEADLINE_S = 60.0
PROFILE = "BENCH_PROFILE"
_PACKAGE = "/tocsin/"


@dataclass(frozen=True, slots=True)
class HotPath:
    """
    What is done many times.

    Attributes:
        name: What one of them is.
        peer: Key of the server.
        act: Does some; ``times`` often, or the clock of the kernel is too coarse for it.
        count: How many an answer tells of.
        is_connected: Its sockets are there beforehand.
    """

    name: str
    peer: str
    act: Callable[[Generator], Answer]
    count: Callable[[Answer], int]
    times: int = 1
    is_connected: bool = True


def _done(answer: Answer) -> int:
    return answer.done


def _arrivals(answer: Answer) -> int:
    return answer.arrivals


def _connect(load: Generator) -> Answer:
    load.drop()
    time.sleep(1.5)
    return load.connect(CONNECTIONS, 50, DEADLINE_S)


def _trigger(event: str, number: int, expected: int) -> Callable[[Generator], Answer]:
    return lambda load: load.trigger(event, number, expected, DEADLINE_S)


PATHS = (
    HotPath("a handshake, engine", "engine", _connect, _done, times=3, is_connected=False),
    HotPath("a handshake", "tocsin", _connect, _done, times=3, is_connected=False),
    HotPath("an emit to one user", "engine", _trigger("bench:emits", CONNECTIONS, CONNECTIONS), _arrivals, times=30),
    HotPath("a delivery of a broadcast", "engine", _trigger("bench:broadcast", 1, CONNECTIONS), _arrivals, times=30),
    HotPath(
        "a delivery of a burst of 10", "engine", _trigger("bench:broadcast", 10, 10 * CONNECTIONS), _arrivals, times=30
    ),
    HotPath("an event with its ack", "engine", lambda load: load.echo(1_000, 20_000, 1, DEADLINE_S), _done, times=2),
    HotPath(
        "a POST, committed and delivered", "tocsin", lambda load: load.publish(16, 4_000, 0, DEADLINE_S), _arrivals
    ),
)


def visit(path: HotPath, *, has_profiler: bool) -> tuple[float, float, dict[str, float]]:
    """Return CPU microseconds of one, the kernel's share of them, and shares by part of the code if profiled."""
    peer = next(peer for peer in PEERS if peer.key == path.peer)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder_name:
        folder = Path(folder_name)
        generator.write_inputs(folder, CONNECTIONS, SECRET)
        settings = {PROFILE: str(folder / "profile")}
        wrapped = replace(peer, command=(sys.executable, "-m", "bench.hot_paths", "--serve", *_program(peer)))
        with (
            running(wrapped if has_profiler else peer, SECRET, folder, settings) as server,
            generator.generating(server.port, folder, BUILD / "generator.log") as load,
        ):
            load.connect(CONNECTIONS if path.is_connected else 100, 50, DEADLINE_S)
            time.sleep(1.5)
            path.act(load)  # to warm up
            if has_profiler:
                os.kill(server.process.pid, signal.SIGUSR2)
                time.sleep(0.2)
            before = server.cpu_s(), _kernel_s(server)
            done = sum(path.count(path.act(load)) for _ in range(path.times))
            cpu_s, kernel_s = server.cpu_s() - before[0], _kernel_s(server) - before[1]
            if has_profiler:
                os.kill(server.process.pid, signal.SIGUSR1)
                server.process.wait(DEADLINE_S)
        shares = _shares(folder / "profile") if has_profiler else {}
    return 1e6 * cpu_s / done, kernel_s / cpu_s, shares


def _program(peer: Peer) -> tuple[str, ...]:
    # A module and its arguments, as runpy takes them.
    return peer.command[2:] if peer.command[1] == "-m" else ("tocsin", *peer.command[1:])


def _kernel_s(server: Server) -> float:
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[12]) / os.sysconf("SC_CLK_TCK")


def _shares(path: Path) -> dict[str, float]:
    found: dict[str, float] = defaultdict(float)
    for (file, _, _), (_, _, own_s, _, callers) in pstats.Stats(str(path)).stats.items():  # type: ignore[attr-defined]
        if file == "~":
            for (caller, _, _), (_, _, of_caller_s, _) in callers.items():
                found[_part(caller)] += of_caller_s
        else:
            found[_part(file)] += own_s
    total = sum(found.values())
    return {part: share / total for part, share in found.items()}


def _part(file: str) -> str:
    if _PACKAGE in file and "site-packages" not in file:
        return file.rpartition(_PACKAGE)[2].partition("/")[0].removesuffix(".py")
    if "site-packages" in file:
        return file.rpartition("site-packages/")[2].partition("/")[0].removesuffix(".py")
    return "bench's own" if "/bench/" in file else "standard library"


def serve(program: list[str]) -> None:
    """Run a module as its command would, profiled between SIGUSR2 and SIGUSR1; the latter ends it."""
    profile = cProfile.Profile()

    def begin(_signal: int, _frame: FrameType | None) -> None:
        profile.enable()

    def end(_signal: int, _frame: FrameType | None) -> None:
        profile.disable()
        profile.dump_stats(os.environ[PROFILE])
        os._exit(0)

    signal.signal(signal.SIGUSR2, begin)
    signal.signal(signal.SIGUSR1, end)
    module, *sys.argv[1:] = program
    sys.argv[0] = module
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main() -> None:
    """Print a table, a row a path."""
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2:])
        return
    argparse.ArgumentParser(prog="python -m bench.hot_paths", description=__doc__).parse_args()
    generator.compile_all()
    print("| | µs of CPU | in the kernel | where the rest goes |\n|---|--:|--:|---|")
    for path in PATHS:
        cpu_us, kernel, _ = visit(path, has_profiler=False)
        _, _, shares = visit(path, has_profiler=True)
        largest = sorted(shares.items(), key=lambda item: -item[1])[:6]
        where = ", ".join(f"{part} {share:.0%}" for part, share in largest if share >= 0.02)
        print(f"| {path.name} | {cpu_us:.1f} | {kernel:.0%} | {where} |", flush=True)


if __name__ == "__main__":
    main()
