"""What a node remembers of sessions: how a seq reached each, and how far back it knows."""

import pytest

from tocsin.application import witness as module
from tocsin.application.witness import Witness, is_testimony
from tocsin.domain.principal import Principal
from tocsin.domain.user_id import UserId

ANN = UserId("ann")


class Clock:
    now = 1_000

    def __call__(self):
        self.now += 1
        return self.now


@pytest.fixture
def witness():
    return Witness(Clock())


def how(witness, seq, head=9, user_id=ANN):
    return [one["how"] for one in witness.tell("n", user_id, seq, head)["sessions"]]


def come(witness, session_id, cursor, after, head):
    witness.came(session_id, ANN, cursor)
    witness.caught_up(session_id, after, head)


def test_who_keeps_a_cursor(witness):
    """Had up to the cursor, replayed up to the head, live from then on."""
    come(witness, "s", 3, 3, 5)

    assert [["had"], ["replayed"], ["replayed"], ["live"]] == [how(witness, seq) for seq in (3, 4, 5, 6)]


def test_who_keeps_none(witness):
    """Nothing of before, all that is live."""
    come(witness, "s", None, 5, 5)

    assert [["before"], ["live"]] == [how(witness, seq) for seq in (5, 6)]


def test_who_can_not_be_resumed(witness):
    """Was told to fetch all up to the head, whatever its cursor said."""
    witness.came("s", ANN, 99)
    witness.resynced("s", "ahead_of_head")
    witness.caught_up("s", 5, 5)

    assert [["refetch"], ["live"]] == [how(witness, seq) for seq in (5, 6)]


def test_who_has_left(witness):
    """Up to the head of that moment it was sent all; what came later it was not."""
    come(witness, "s", None, 5, 5)
    witness.left("s", 7, "transport close")

    assert [["live"], ["left"]] == [how(witness, seq) for seq in (7, 8)]


def test_who_is_on_its_way(witness):
    """Has not been sent it yet; what asks again is sent it again."""
    witness.came("s", ANN, 3)
    assert ["waiting"] == how(witness, 4)
    witness.caught_up("s", 3, 5)
    witness.caught_up("s", 1, 6)

    assert [["had"], ["replayed"], ["live"]] == [how(witness, seq) for seq in (2, 6, 7)]


def test_acks_are_of_one_session(witness):
    """The first that covers the seq, and whether the session acks at all."""
    come(witness, "s", None, 0, 0)
    come(witness, "t", None, 0, 0)
    for seq in (1, 4, 6):
        witness.acked("s", seq)
    t, s = witness.tell("n", ANN, 3, 9)["sessions"]

    assert (True, False, None) == (s["acks"], t["acks"], t["acked_at"])
    assert s["acked_at"] == 1_000 + 1 + 4 + 2


def test_it_forgets_the_oldest(witness, monkeypatch):
    """And says from when on it knows all."""
    monkeypatch.setattr(module, "MAX_SESSIONS", 2)
    before = witness.since
    for session_id in "abc":
        come(witness, session_id, None, 0, 0)

    assert before < witness.since
    assert ["c", "b"] == [one["id"] for one in witness.tell("n", ANN, 1, 9)["sessions"]]
    assert [] == how(witness, 1, user_id=UserId("bob"))


def test_what_it_forgot_is_no_fault(witness):
    """The rest of a session may come after its beginning was forgotten."""
    witness.caught_up("gone", 0, 1)
    witness.resynced("gone", "pruned")
    witness.left("gone", 1, "transport close")

    assert [] == how(witness, 1)


def test_what_it_tells_is_testimony_and_a_forgery_is_none(witness):
    """Other nodes are not believed what has another form."""
    come(witness, "s", None, 5, 5)
    witness.created("n", Principal(ANN, frozenset({"publish"}), 0.0))
    told = witness.tell("n", ANN, 6, 9)

    assert is_testimony(told)
    for wrong in (
        None,
        told | {"since": "1"},
        told | {"sessions": [{}]},
        told | {"sessions": [told["sessions"][0] | {"came_at": 10**18}]},
        told | {"sessions": [told["sessions"][0] | {"left_at": -1}]},
        told | {"created": [{"at": 10**18, "by": "x", "scopes": []}]},
        told | {"sessions": [told["sessions"][0] | {"how": "<b>"}]},
        told | {"sessions": [told["sessions"][0] | {"acked_at": "x"}]},
        told | {"created": [{"at": 1, "by": [], "scopes": []}]},
        told | {"created": [{"at": 1, "by": "x", "scopes": [1]}]},
    ):
        assert not is_testimony(wrong)
