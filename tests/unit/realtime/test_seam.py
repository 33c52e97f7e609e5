"""Any order of commits, wake-ups, reads, connects and replays: no gap, nothing twice."""

import asyncio

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tocsin.domain.errors import Conflict
from tocsin.realtime.resume import Cursor

# Few sockets, small steps and one big one: what breaks a seam is the order of things, not their number.
STEPS = st.one_of(
    st.tuples(st.just("commit"), st.sampled_from([1, 1, 2, 70]), st.sampled_from(["heard", "late", "unheard"])),
    st.tuples(st.just("commit"), st.just(1), st.just("heard")),
    st.tuples(st.just("hear late")),
    st.tuples(st.just("hear again")),
    st.tuples(st.just("connect"), st.one_of(st.none(), st.integers(0, 4))),
    st.tuples(st.just("disconnect"), st.integers(0, 2)),
    st.tuples(st.just("replay"), st.integers(0, 2), st.integers(0, 4)),
    st.tuples(st.just("answer"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("answer"), st.integers(0, 2), st.booleans()),
    st.tuples(st.just("sweep")),
)
LIVE = [("connect", None), ("answer", 0, True), ("commit", 2, "heard")]


class History:
    """One run of steps against a node, with what each socket was owed."""

    def __init__(self, node):
        self.node = node
        self.node.log.is_open = False
        self.late = []
        self.sockets = []
        self.owed = {}
        self.exact = set()
        self.sweeps = []

    @property
    def head(self):
        return sum(map(len, self.node.log.events.values()))

    async def step(self, name, *given):
        getattr(self, name.replace(" ", "_"))(*given)
        for _ in range(4):
            await asyncio.sleep(0)

    def commit(self, number, wake_up):
        events = self.node.log.commit_many(number)
        if wake_up == "heard":
            # A process hears of its own commits in order.
            self.late += events
            self.hear_late()
            for socket in self.sockets:
                self.owed[socket] = self.owed.get(socket, events[0].seq - 1)
        elif wake_up == "late":
            self.late += events

    def hear_late(self):
        self.node.live.on_events(self.late)
        self.late.clear()

    def hear_again(self):
        self.node.live.on_events([event for log in self.node.log.events.values() for event in log[-3:]])

    def connect(self, behind):
        after = None if behind is None else max(0, self.head - behind)
        socket = self.node.connect(None if after is None else Cursor(self.node.log.epoch, after))
        self.sockets.append(socket)
        if after is not None:
            self.owed[socket] = after
            self.exact.add(socket)

    def disconnect(self, index):
        if self.sockets:
            self.node.disconnect(self.sockets.pop(index % len(self.sockets)))

    def replay(self, index, behind):
        if not self.sockets:
            return
        socket, after = self.sockets[index % len(self.sockets)], max(0, self.head - behind)
        try:
            self.node.resumer.replay(socket, socket.data, after)
        except Conflict:
            return
        socket.received.clear()
        self.owed[socket] = after
        self.exact.add(socket)

    def answer(self, index, is_late):
        if self.node.log.waiting:
            self.node.log.answer(index % len(self.node.log.waiting), is_late=is_late)

    def sweep(self):
        self.sweeps.append(asyncio.create_task(self.node.live.sweep()))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(  # what is kept live has a hole, and the cursor stands before it
    [
        ("commit", 2, "heard"),
        ("connect", 0),
        ("commit", 1, "heard"),
        ("commit", 1, "unheard"),
        ("commit", 1, "heard"),
        ("answer", 0, False),
    ],
    [],
)
@given(st.lists(STEPS, min_size=3, max_size=30), st.sampled_from([[], LIVE, [*LIVE, ("connect", 1)]]))
def test_every_socket_gets_a_log_without_gap_or_repeat(make_node, steps, beginning):
    """
    From its cursor to the head each seq comes exactly once, in order.

    A client without a cursor is owed all that this process commits after its CONNECT.
    """

    async def run():
        history = History(make_node())
        for step in [*beginning, *steps]:
            await history.step(*step)
        node = history.node
        await node.settle()
        node.log.is_open = True
        await node.live.sweep()
        await node.settle()
        for socket in history.sockets:
            after, seqs = history.owed.get(socket, history.head), socket.seqs
            if socket in history.exact:
                assert list(range(after + 1, history.head + 1)) == seqs
            else:
                first = min(after + 1, *seqs[:1]) if seqs else after + 1
                assert list(range(first, history.head + 1)) == seqs
            assert 1 == len(socket.payloads("synced"))
            assert [] == socket.payloads("resync")
            node.disconnect(socket)
        assert 0 == len(node.live)

    asyncio.run(run())
