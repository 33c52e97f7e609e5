"""How late the loop is, on a loop whose clock the test sets."""

from tocsin.metrics.loop_delay import INTERVAL_S, LoopDelay


class Loop:
    def __init__(self):
        self.now = 100.0
        self.due = []

    def time(self):
        return self.now

    def call_later(self, seconds, function, *args):
        self.due.append((self.now + seconds, function, args))


def test_a_sample_is_as_late_as_its_timer():
    """What held the loop up for a second is seen as a second."""
    loop, delay = Loop(), LoopDelay()
    delay._next(loop)
    ((_, sample, args),) = loop.due
    loop.now += INTERVAL_S + 1.0
    sample(*args)

    assert (1, 1.0) == (delay.seconds.count, delay.seconds.total)
    assert 2 == len(loop.due)
