"""
What a ``broadcast_*`` call costs its caller: ``python -m bench.callers``.

Sixteen threads broadcast in the process of a running server, as the views of a
Flask application do: at full speed, and each a thousand times a second at most.
Beside it stands a call that does nothing but compute: what a thread waits
there, it waits for the interpreter lock among so many, whatever it calls.
"""

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tocsin import Service, build
from tocsin.bootstrap import bridge_here
from tocsin.domain.stream import EventDraft
from tocsin.domain.user_id import UserId
from tocsin.websocket_server import broadcast_order_event

THREADS = 16
CALLS = 20_000
PAUSE_S = 0.001
SECRET = "the bench's own secret, known to every peer and of no use elsewhere"
COMPUTE_S = 0.000_012


def _broadcast(thread: int, number: int) -> None:
    broadcast_order_event(
        "order_updated", f"user{number % 100}", {"order_id": number, "status": "shipped", "by": thread}
    )


def _hand_over(thread: int, number: int) -> None:
    user_id = UserId(f"user{number % 100}")
    bridge_here().hand_over(
        EventDraft("/orders", "order_updated", (user_id,), b'{"order_id":%d,"by":%d}' % (number, thread))
    )


def _compute(_thread: int, _number: int) -> None:
    end = time.thread_time() + COMPUTE_S
    while time.thread_time() < end:
        pass


def _measure(call: Callable[[int, int], None], pause_s: float) -> tuple[list[int], list[int]]:
    """Return wall and CPU nanoseconds of each call, sorted."""
    wall: list[int] = []
    cpu: list[int] = []
    go = threading.Barrier(THREADS)

    def work(thread: int) -> None:
        own_wall, own_cpu = [], []
        go.wait()
        for number in range(CALLS // THREADS):
            began, began_cpu = time.perf_counter_ns(), time.thread_time_ns()
            call(thread, number)
            own_cpu.append(time.thread_time_ns() - began_cpu)
            own_wall.append(time.perf_counter_ns() - began)
            if pause_s:
                time.sleep(pause_s)
        wall.extend(own_wall)
        cpu.extend(own_cpu)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(wall), sorted(cpu)


def _row(title: str, wall: list[int], cpu: list[int]) -> str:
    def figures(values: list[int]) -> str:
        return " / ".join(
            f"{value / 1_000:,.0f}" for value in (values[len(values) // 2], values[len(values) * 99 // 100], values[-1])
        )

    over = sum(value > 5_000_000 for value in wall)
    return f"{title:34} CPU {figures(cpu):20} wall {figures(wall):24} over 5 ms: {over} of {len(wall):,}"


CALLERS = (
    ("broadcast_order_event", _broadcast),
    ("of that, the bridge", _hand_over),
    ("a computation of 12 µs", _compute),
)


def _serve(folder: str) -> tuple[Service, threading.Thread]:
    service = build(jwt_secret=SECRET, database_url=f"sqlite:///{Path(folder) / 'bench.db'}", port=0, drain_s=0)
    is_ready = threading.Event()
    thread = threading.Thread(target=service.run, kwargs={"on_ready": lambda _url: is_ready.set()})
    thread.start()
    is_ready.wait()
    return service, thread


def lines() -> list[str]:
    """Measure in this process and return the rows."""
    with tempfile.TemporaryDirectory() as folder:
        service, thread = _serve(folder)
        rows = [f"caller's cost of broadcast_*: µs p50 / p99 / max with {THREADS} threads"]
        for title, call in CALLERS:
            rows.append(_row(f"{title}, full speed", *_measure(call, 0)))
            rows.append(_row(f"{title}, 1,000/s each", *_measure(call, PAUSE_S)))
        service.stop_serving()
        thread.join()
    return rows


if __name__ == "__main__":
    print("\n".join(lines()))
