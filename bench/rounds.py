"""
What is measured, in which order, and how often.

One round takes every peer through the same steps; rounds interleave the peers
so that a slow minute of the machine meets them all. Results are plain numbers
by peer and column; medians and ratios are made in ``report``.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench import generator
from bench.generator import Answer, Generator
from bench.servers import BUILD, Peer, Server, running

SECRET = "the bench's own secret, known to every peer and of no use elsewhere"
HANDSHAKES_UNDER_WAY = 100
REST_CONNECTIONS = 16
PING_INTERVAL_S = 25.0  # the default of every peer
STEP_DEADLINE_S = 120.0
GENERATOR_IS_BUSY = 0.95


@dataclass(frozen=True, slots=True)
class Plan:
    """
    How much of everything.

    Attributes:
        connections: Sockets of every peer that can bear them.
        rounds: Times that each peer is started and measured.
        repeats: Times that a short step is repeated within a round, at most.
        repeat_s: Seconds after which a step isn't repeated again.
        idle_s: Seconds of idle CPU; 0 leaves the column out.
        echoes: Events of one echo step.
        posts: POSTs of one publish step.
        latency_posts: POSTs of the latency step, at 1,000 a second.
    """

    connections: int = 10_000
    rounds: int = 3
    repeats: int = 5
    repeat_s: float = 5.0
    idle_s: float = PING_INTERVAL_S
    echoes: int = 50_000
    posts: int = 20_000
    latency_posts: int = 5_000


QUICK = Plan(
    connections=1_000, rounds=1, repeats=3, repeat_s=1.0, idle_s=0, echoes=10_000, posts=4_000, latency_posts=2_000
)


@dataclass(slots=True)
class Measured:
    """
    One peer in one round.

    Attributes:
        values: Figure by column key (``report.COLUMNS``).
        bounded: Columns whose figure was the generator's limit, not the server's.
        faults: What went wrong: timeouts, failed sockets, uneven deliveries.
    """

    values: dict[str, float] = field(default_factory=dict)
    bounded: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def add(self, column: str, answers: list[Answer], count: Callable[[Answer], int]) -> None:
        """Record the median rate of a repeated step."""
        for answer in answers:
            if answer.timed_out or answer.failed:
                self.faults.append(f"{column}: {'timed out' if answer.timed_out else f'{answer.failed} failed'}")
        complete = [answer for answer in answers if not answer.timed_out]
        if complete:
            self.values[column] = median(count(answer) / answer.elapsed_s for answer in complete)
            if median(answer.load_cpu for answer in complete) > GENERATOR_IS_BUSY:
                self.bounded.add(column)


def measure(peer: Peer, plan: Plan, inputs: Path) -> Measured:
    """
    Start one peer, take it through every step that it knows, and stop it.

    Raises:
        RuntimeError: The peer did not start, or the generator ended.
    """
    measured = Measured()
    connections = min(plan.connections, peer.max_connections or plan.connections)
    with (
        tempfile.TemporaryDirectory(dir=BUILD) as name,
        running(peer, SECRET, Path(name)) as server,
        generator.generating(server.port, inputs, BUILD / "generator.log") as load,
    ):
        _warm_up(peer, load)
        _connect_and_rest(measured, plan, server, load, connections)
        if peer.has_triggers:
            _emit(measured, plan, peer, load, connections)
        if peer.publish_path:
            _publish(measured, plan, peer, load, connections)
    return measured


def _warm_up(peer: Peer, load: Generator) -> None:
    """Let JITs, caches and lazy imports settle, so that memory a connection holds connections only."""
    load.connect(200, HANDSHAKES_UNDER_WAY, STEP_DEADLINE_S)
    if peer.has_triggers:
        load.trigger("bench:broadcast", 5, 1_000, STEP_DEADLINE_S)
        load.trigger("bench:emits", 1_000, 1_000, STEP_DEADLINE_S)
        load.echo(200, 2_000, 1, STEP_DEADLINE_S)
    load.drop()
    time.sleep(1.5)


def _connect_and_rest(measured: Measured, plan: Plan, server: Server, load: Generator, connections: int) -> None:
    before_kib = server.rss_kib()
    answer = load.connect(connections, HANDSHAKES_UNDER_WAY, STEP_DEADLINE_S)
    measured.add("handshakes", [answer], lambda answer: answer.done)
    time.sleep(1.0)
    if plan.idle_s:
        began_s, began_cpu_s = time.monotonic(), server.cpu_s()
        time.sleep(plan.idle_s)
        measured.values["idle_cpu"] = 100 * (server.cpu_s() - began_cpu_s) / (time.monotonic() - began_s)
    measured.values["rss"] = (server.rss_kib() - before_kib) / connections


def _repeat(plan: Plan, step: Callable[[], Answer]) -> list[Answer]:
    end_s = time.monotonic() + plan.repeat_s
    answers = [step()]
    while len(answers) < plan.repeats and time.monotonic() < end_s and not answers[-1].timed_out:
        answers.append(step())
    return answers


def _emit(measured: Measured, plan: Plan, peer: Peer, load: Generator, connections: int) -> None:
    emits = plan.connections if peer.is_fast else 1_000
    echoes = plan.echoes if peer.is_fast else plan.echoes // 10
    sockets = min(1_000, connections)

    def trigger(event: str, times: int, expected: int) -> list[Answer]:
        return _repeat(plan, lambda: load.trigger(event, times, expected, STEP_DEADLINE_S))

    for column, times in (("broadcast", 1), ("burst", 10)):
        answers = trigger("bench:broadcast", times, times * connections)
        measured.add(column, answers, lambda answer: answer.arrivals)
        if not all(answer.even for answer in answers):
            measured.faults.append(f"{column}: some sockets received more than others")
    measured.add("emits", trigger("bench:emits", emits, emits), lambda answer: answer.arrivals)
    for column, depth in (("echo", 1), ("echo4", 4)):
        # depth is bound here: the step runs within this turn of the loop
        answers = _repeat(plan, lambda depth=depth: load.echo(sockets, echoes, depth, STEP_DEADLINE_S))  # type: ignore[misc]
        measured.add(column, answers, lambda answer: answer.done)


def _publish(measured: Measured, plan: Plan, peer: Peer, load: Generator, connections: int) -> None:
    posts = plan.posts if peer.is_fast else plan.posts // 20
    answer = load.publish(REST_CONNECTIONS, posts, 0, STEP_DEADLINE_S)
    measured.add("publish", [answer], lambda answer: answer.arrivals)
    if not peer.is_fast:
        return
    recipients = min(generator.BULK, connections)
    answer = load.publish_bulk(4, plan.posts // 400, recipients, STEP_DEADLINE_S)
    measured.add("publish_bulk", [answer], lambda answer: answer.arrivals)
    answer = load.publish(REST_CONNECTIONS, plan.latency_posts, 1_000, STEP_DEADLINE_S)
    measured.add("publish_1k", [answer], lambda answer: answer.arrivals)
    measured.values["latency_p50"] = answer.p50_ms
    measured.values["latency_p99"] = answer.p99_ms


def run(peers: list[Peer], plan: Plan, say: Callable[[str], None]) -> Iterator[tuple[Peer, Measured]]:
    """
    Measure every peer once a round, beginning each round with another peer.

    A peer that fails is reported through ``say`` and as a fault; the others go on.
    """
    with tempfile.TemporaryDirectory(dir=BUILD) as name:
        inputs = Path(name)
        generator.write_inputs(inputs, plan.connections, SECRET)
        for number in range(plan.rounds):
            first = number % len(peers)
            for peer in peers[first:] + peers[:first]:
                began_s = time.monotonic()
                try:
                    measured = measure(peer, plan, inputs)
                except RuntimeError as error:
                    measured = Measured(faults=[str(error)])
                say(f"round {number + 1}/{plan.rounds}  {peer.title}: {time.monotonic() - began_s:.0f} s")
                for fault in measured.faults:
                    say(f"    {fault}")
                yield peer, measured
