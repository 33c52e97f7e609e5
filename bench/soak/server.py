"""
The server of a soak: the product, and a task in its loop that writes down how it is.

Usage: ``python -m bench.soak.server FILE``, with the settings in the environment. With
``BENCH_TRACE=types`` it also tells, in ``FILE.trace``, of which kinds of objects there are more, with
``garbage`` which of them were cycles, and with ``lines``, slowly, which lines have come to hold more.
"""

import asyncio
import gc
import json
import os
import sys
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import IO

from tocsin.bootstrap import Service, build

EVERY_S = 5.0
_BEAT_S = 0.02
_TRACED_FRAMES = 1
_TRACE_EVERY = 12


def memory_kib() -> dict[str, int]:
    """Return the resident memory of this process, and the part that no file is behind."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return {
        "rss_kib": int(status.split("VmRSS:")[1].split()[0]),
        "anonymous_kib": int(status.split("RssAnon:")[1].split()[0]),
    }


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


class Watch:
    """Samples of one service, a line of JSON each; belongs to its loop."""

    def __init__(self, service: Service, output: IO[str]) -> None:
        self._service = service
        self._output = output
        self._delays: list[float] = []
        self._database = Path(service.settings.database_url.removeprefix("sqlite:///"))
        self._first: tracemalloc.Snapshot | None = None
        self._types: Counter[str] | None = None

    async def beat(self) -> None:
        """Measure by how much the loop is late, again and again."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _BEAT_S
            await asyncio.sleep(_BEAT_S)
            self._delays.append((loop.time() - due) * 1_000)

    async def write(self) -> None:
        """Write a sample at every interval."""
        number = 0
        while True:
            await asyncio.sleep(EVERY_S)
            delays, self._delays = sorted(self._delays), []
            sample = {
                "at": time.monotonic(),
                **memory_kib(),
                "fds": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 names are enough
                "threads": threading.active_count(),
                "tasks": len(asyncio.all_tasks()),
                "objects": len(gc.get_objects()),
                "cpu_s": time.process_time(),
                "delay_p99_ms": delays[len(delays) * 99 // 100] if delays else 0.0,
                "delay_max_ms": delays[-1] if delays else 0.0,
                "database_bytes": _size(self._database),
                "wal_bytes": _size(self._database.with_name(self._database.name + "-wal")),
                "engine": self._service.engine.stats,
            }
            self._output.write(json.dumps(sample) + "\n")
            self._output.flush()
            number += 1
            if number % _TRACE_EVERY == 0 and "BENCH_TRACE" in os.environ:
                self._trace()

    def _trace(self) -> None:
        """Tell what there is more of than at the first look: kinds of objects, and lines that hold memory."""
        types = Counter(type(one).__qualname__ for one in gc.get_objects())
        if self._types is None:
            self._types = types
        lines = [f"{number:+,} {name}" for name, number in (types - self._types).most_common(20)]
        if os.environ["BENCH_TRACE"] == "garbage":
            lines += self._garbage()
        if tracemalloc.is_tracing():
            now = tracemalloc.take_snapshot().filter_traces((tracemalloc.Filter(False, tracemalloc.__file__),))
            if self._first is None:
                self._first = now
            lines += map(str, now.compare_to(self._first, "lineno")[:40])
        Path(f"{self._output.name}.trace").write_text("\n".join(lines) + "\n")

    def _garbage(self) -> list[str]:
        """Return which kinds of objects only the garbage collector has got rid of since it last looked."""
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        gc.set_debug(0)
        kinds = Counter(type(one).__qualname__ for one in gc.garbage)
        gc.garbage.clear()
        return [f"garbage {number:,} {name}" for name, number in kinds.most_common(20)]


def main() -> None:
    """Serve until killed."""
    if os.environ.get("BENCH_TRACE") == "lines":
        tracemalloc.start(_TRACED_FRAMES)
    service = build()
    running: list[asyncio.Task[None]] = []
    with Path(sys.argv[1]).open("w", encoding="ascii") as output:
        watch = Watch(service, output)

        def ready(_: str) -> None:
            running.extend(map(asyncio.get_running_loop().create_task, (watch.beat(), watch.write())))

        service.run(on_ready=ready)


if __name__ == "__main__":
    main()
