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
STORM_UNDER_WAY = 1_000
REST_CONNECTIONS = 16
PING_INTERVAL_S = 25.0  # the default of every peer
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
        deadline_s: Seconds after which a step is given up.
    """

    connections: int = 10_000
    rounds: int = 3
    repeats: int = 5
    repeat_s: float = 5.0
    idle_s: float = PING_INTERVAL_S
    echoes: int = 50_000
    posts: int = 20_000
    latency_posts: int = 5_000
    deadline_s: float = 120.0


QUICK = Plan(
    connections=1_000,
    rounds=1,
    repeats=3,
    repeat_s=1.0,
    idle_s=0,
    echoes=10_000,
    posts=4_000,
    latency_posts=2_000,
    deadline_s=10,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One command's answer, and what the server used for it."""

    answer: Answer
    server_cpu_s: float


@dataclass(slots=True)
class Measured:
    """
    One peer in one round.

    Attributes:
        values: Figure by column key (``report.COLUMNS``).
        cpu_us: CPU microseconds of the server a delivery, ack, handshake or POST, by
            column; what else runs on the core disturbs it less than a rate.
        bounded: Columns whose figure was the generator's limit, not the server's.
        faults: What went wrong: timeouts, failed sockets, uneven deliveries.
    """

    values: dict[str, float] = field(default_factory=dict)
    cpu_us: dict[str, float] = field(default_factory=dict)
    bounded: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    def add(self, column: str, steps: list[Step], count: Callable[[Answer], int]) -> None:
        """Record the median rate of a repeated step."""
        for step in steps:
            if step.answer.timed_out or step.answer.failed:
                reason = "timed out" if step.answer.timed_out else f"{step.answer.failed} failed"
                self.faults.append(f"{column}: {reason}")
        complete = [step for step in steps if not step.answer.timed_out]
        if complete:
            self.values[column] = median(count(step.answer) / step.answer.elapsed_s for step in complete)
            self.cpu_us[column] = median(1e6 * step.server_cpu_s / count(step.answer) for step in complete)
            if median(step.answer.load_busy for step in complete) > GENERATOR_IS_BUSY:
                self.bounded.add(column)


def measure(peer: Peer, plan: Plan, inputs: Path) -> Measured:
    """
    Start one peer, take it through every step that it knows, and stop it.

    Raises:
        RuntimeError: The peer did not start, or the generator ended.
    """
    with (
        tempfile.TemporaryDirectory(dir=BUILD) as name,
        running(peer, SECRET, Path(name)) as server,
        generator.generating(server.port, inputs, BUILD / "generator.log") as load,
    ):
        visit = _Visit(peer, plan, server, load, min(plan.connections, peer.max_connections or plan.connections))
        visit.warm_up()
        visit.connect_and_rest()
        if peer.has_triggers:
            visit.emit()
        if peer.publish_path:
            visit.publish()
        if peer.is_fast:
            # Ten thousand disconnects stop python-socketio for minutes: its storm would be most of the run.
            visit.storm()
    return visit.measured


@dataclass(slots=True)
class _Visit:
    """One running peer and the steps that it is taken through."""

    peer: Peer
    plan: Plan
    server: Server
    load: Generator
    connections: int
    measured: Measured = field(default_factory=Measured)

    def warm_up(self) -> None:
        """Let JITs, caches and lazy imports settle, so that memory a connection holds connections only."""
        load, deadline_s = self.load, self.plan.deadline_s
        # Few, because what they leave behind is room that the connections to be measured use again.
        few = self.connections // 50
        load.connect(few, HANDSHAKES_UNDER_WAY, deadline_s)
        if self.peer.has_triggers:
            load.trigger("bench:broadcast", 50, 50 * few, deadline_s)
            load.trigger("bench:emits", 1_000, 1_000, deadline_s)
            load.echo(few, 2_000, 1, deadline_s)
        load.drop()
        time.sleep(1.5)

    def connect_and_rest(self) -> None:
        """Fill the server with authenticated sockets, then leave them alone for one heartbeat."""
        server, values = self.server, self.measured.values
        before_kib = server.rss_kib()
        step = self._step(lambda: self.load.connect(self.connections, HANDSHAKES_UNDER_WAY, self.plan.deadline_s))
        self.measured.add("handshakes", [step], lambda answer: answer.done)
        time.sleep(1.0)
        if self.plan.idle_s:
            began_s, began_cpu_s = time.monotonic(), server.cpu_s()
            time.sleep(self.plan.idle_s)
            values["idle_cpu"] = 100 * (server.cpu_s() - began_cpu_s) / (time.monotonic() - began_s)
        values["rss"] = (server.rss_kib() - before_kib) / self.connections

    def emit(self) -> None:
        """Fan out, emit to single users, and answer events."""
        emits = self.plan.connections if self.peer.is_fast else 1_000
        echoes = self.plan.echoes if self.peer.is_fast else self.plan.echoes // 10
        # With a thread a socket, a thousand at once would measure the scheduler.
        sockets = min(1_000 if self.peer.is_fast else 100, self.connections)

        def trigger(event: str, times: int, expected: int) -> list[Step]:
            return self._repeat(lambda: self.load.trigger(event, times, expected, self.plan.deadline_s))

        def echo(depth: int) -> list[Step]:
            return self._repeat(lambda: self.load.echo(sockets, echoes, depth, self.plan.deadline_s))

        for column, times in (("broadcast", 1), ("burst", 10)):
            steps = trigger("bench:broadcast", times, times * self.connections)
            self.measured.add(column, steps, lambda answer: answer.arrivals)
            if not all(step.answer.even for step in steps):
                self.measured.faults.append(f"{column}: some sockets received more than others")
        self.measured.add("emits", trigger("bench:emits", emits, emits), lambda answer: answer.arrivals)
        self.measured.add("echo", echo(1), lambda answer: answer.done)
        self.measured.add("echo4", echo(4), lambda answer: answer.done)

    def storm(self) -> None:
        """
        Let nearly all connections come back at once, as after a deploy, while a few stay and go on talking.

        The whole product knows no ``bench:echo`` and acks it as an unknown event, which is as good here.
        """
        kept = self.connections // 100
        step = self._step(lambda: self.load.storm(kept, STORM_UNDER_WAY, self.plan.deadline_s))
        self.measured.add("storm", [step], lambda answer: answer.done)
        self.measured.values["storm_p99"] = step.answer.p99_ms

    def publish(self) -> None:
        """POST notifications and see them arrive, committed: at full speed, in bulk, and at 1,000 a second."""
        plan, load, measured = self.plan, self.load, self.measured
        posts = plan.posts if self.peer.is_fast else plan.posts // 20
        step = self._step(lambda: load.publish(REST_CONNECTIONS, posts, 0, self.plan.deadline_s))
        measured.add("publish", [step], lambda answer: answer.arrivals)
        if not self.peer.is_fast:
            return
        recipients = min(generator.BULK, self.connections)
        step = self._step(lambda: load.publish_bulk(4, plan.posts // 400, recipients, self.plan.deadline_s))
        measured.add("publish_bulk", [step], lambda answer: answer.arrivals)
        answer = load.publish(REST_CONNECTIONS, plan.latency_posts, 1_000, self.plan.deadline_s)
        measured.values["latency_p50"] = answer.p50_ms
        measured.values["latency_p99"] = answer.p99_ms
        if answer.timed_out or answer.failed:
            measured.faults.append("publish at 1,000 a second: not all arrived")

    def _step(self, command: Callable[[], Answer]) -> Step:
        before_s = self.server.cpu_s()
        answer = command()
        return Step(answer, self.server.cpu_s() - before_s)

    def _repeat(self, command: Callable[[], Answer]) -> list[Step]:
        end_s = time.monotonic() + self.plan.repeat_s
        steps = [self._step(command)]
        while len(steps) < self.plan.repeats and time.monotonic() < end_s and not steps[-1].answer.timed_out:
            steps.append(self._step(command))
        return steps


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
