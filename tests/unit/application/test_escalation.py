"""What is to be done next for a notification that nobody may have seen."""

from dataclasses import replace

import pytest

from tocsin.application.deliveries import Due
from tocsin.application.escalation import Step, next_step
from tocsin.domain.delivery import KEPT_MS, Delivery
from tocsin.domain.ladder import Ladders
from tocsin.domain.notification import Notification
from tocsin.domain.preference import Preferences

NOW = 1_000_000
RUNGS = Ladders("high: push 10s, channels 60s").of(None, "high")
PUSH = ("fcm", "webpush")
NOTIFICATION = Notification(
    id="n-1", user_id="7", seq=5, type="t", title="T", message="", data={}, category=None, priority="high",
    sound=None, created_at=NOW,
)  # fmt: skip
HELD = Delivery(
    notification_id="n-1", user_id="7", seq=5, category=None, priority="high", created_at=NOW, expires_at=None,
    rung=0, tries=0, due_at=NOW, lease=0, ended=None, acked=4,
)  # fmt: skip


def step(after_s, *, is_online=True, notification=NOTIFICATION, preferences=None, rungs=RUNGS, **held):
    due = Due(replace(HELD, **held), notification, [], preferences or Preferences(), 1)
    return next_step(due, rungs, is_online=is_online, now=NOW + int(after_s * 1000))


def test_who_is_there_has_the_time_of_the_rung():
    """Before it nothing is sent; at it, what it names; then comes the next."""
    assert Step(next_at=NOW + 10_000) == step(0)
    assert Step(channels=PUSH, rung=1, next_at=NOW + 60_000) == step(10)
    assert Step(channels=(*PUSH, "channels"), rung=2, next_at=NOW + KEPT_MS) == step(60)


def test_nobody_waits_for_who_is_away():
    """Push comes after the time of a reload; other channels keep theirs."""
    assert NOW + 2_000 == step(0, is_online=False).next_at
    assert Step(channels=PUSH, rung=1, next_at=NOW + 60_000) == step(2, is_online=False)


def test_no_rung_overtakes_an_earlier_one():
    """Who is away is pushed to soon, but by what comes after a channel not before that; the next time is never over."""
    rungs = Ladders("high: fcm 10s, channels 60s, webpush 5m").of(None, "high")

    assert Step(channels=("fcm",), rung=1, next_at=NOW + 60_000) == step(2, is_online=False, rungs=rungs)
    assert ("fcm", "channels", "webpush") == step(60, is_online=False, rungs=rungs).channels


def test_a_mute_does_not_outlast_the_ladder():
    """What waits for the end of quiet hours is looked at when it has expired."""
    muted = Preferences.read({"mute_until": "2999-01-01T00:00:00Z"})

    assert NOW + KEPT_MS == step(60, preferences=muted).next_at
    assert NOW + 90_000 == step(60, preferences=muted, expires_at=NOW + 90_000).next_at


def test_who_is_on_another_node_perhaps_is_waited_for():
    """Nobody knows, so the rung keeps its time."""
    assert NOW + 10_000 == step(2, is_online=None).next_at


def test_a_rung_that_was_reached_stays_reached():
    """A user who comes back does not make it wait again: what could not be sent is tried again."""
    assert PUSH == step(3, rung=1).channels


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"acked": 5}, "acked"),
        ({"ended": "read"}, "read"),
        ({"notification": NOTIFICATION._replace(read_at=NOW)}, "read"),
        ({"notification": None}, "deleted"),
        ({"notification": None, "expires_at": NOW + 1}, "expired"),
        ({"expires_at": NOW + 1}, "expired"),
        ({"rungs": ()}, "done"),
        ({"created_at": NOW - KEPT_MS}, "done"),
    ],
)
def test_what_ends_it(changes, reason):
    """Whatever rung it stands on."""
    assert reason == step(1, **changes).ended


def test_it_is_looked_at_when_it_expires():
    """So that what is shown then is taken back."""
    assert NOW + 5_000 == step(0, expires_at=NOW + 5_000).next_at


def test_quiet_hours_are_waited_out():
    """Except by what is urgent; the rung is climbed afterwards."""
    day = Preferences.read({"quiet_hours": {"from": "00:00", "until": "12:00"}})
    quiet = step(10, preferences=day)

    assert (quiet.channels, quiet.rung, quiet.next_at) == ((), 0, 12 * 3_600_000)
    assert PUSH == step(10, preferences=day, priority="urgent").channels
