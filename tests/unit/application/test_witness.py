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

    assert [["had"], ["replayed"], ["replayed"], ["live"]] == [how(witness, seq) for seq in (1, 2, 6, 7)]


def test_who_asks_again_and_again(witness):
    """Is remembered by its first run, so that what was live before stays live, and by its last ones."""
    come(witness, "s", None, 5, 5)
    for seq in range(6, 30):
        witness.caught_up("s", seq, seq + 1)

    assert [["before"], ["live"], ["replayed"]] == [how(witness, seq, head=40) for seq in (5, 7, 30)]


def test_whose_room_was_told_to_refetch(witness):
    """Was not sent what was skipped, and its acks of before prove nothing."""
    come(witness, "s", None, 0, 0)
    witness.acked("s", 9)
    witness.came("t", ANN, 3)
    witness.rooms_resynced("too_far_behind", {ANN: 5, UserId("bob"): 1})
    t, s = witness.tell("n", ANN, 4, 9)["sessions"]

    assert [("waiting", None), ("refetch", None)] == [(one["how"], one["acked_at"]) for one in (t, s)]
    assert (["waiting", "live"], False) == (how(witness, 6), witness.tell("n", ANN, 6, 9)["sessions"][1]["acks"])


def test_of_another_log_it_remembers_nothing(witness):
    """Seqs of before a restored log would be taken for its own."""
    come(witness, "s", None, 0, 5)
    witness.left("s", 9, "transport close")
    before = witness.since
    witness.rooms_resynced("epoch_changed", {})

    assert [] == how(witness, 3)
    assert before < witness.since


def test_acks_are_of_one_session(witness):
    """The first that covers the seq, and whether the session acks at all."""
    come(witness, "s", None, 0, 0)
    come(witness, "t", None, 0, 0)
    for seq in (1, 4, 6):
        witness.acked("s", seq)
    t, s = witness.tell("n", ANN, 3, 9)["sessions"]

    assert (True, False, None) == (s["acks"], t["acks"], t["acked_at"])
    assert s["acked_at"] == 1_000 + 1 + 4 + 2


def test_an_ack_of_what_it_was_not_sent_is_none(witness):
    """The first ack of a client covers all that was before it."""
    come(witness, "s", None, 5, 5)
    witness.acked("s", 5)
    (told,) = witness.tell("n", ANN, 4, 9)["sessions"]

    assert ("before", True, None) == (told["how"], told["acks"], told["acked_at"])


def test_acks_of_others_push_none_out(witness):
    """Each session has its own, the last ones; what they covered first is then told later than it was."""
    come(witness, "s", None, 0, 0)
    witness.acked("s", 1)
    witness.came("b", UserId("bob"), None)
    for seq in range(100_000):
        witness.acked("b", seq)
    (told,) = witness.tell("n", ANN, 1, 9)["sessions"]

    assert told["acked_at"] == 1_000 + 1 + 3
    assert module.MAX_ACKS == len(witness._here["b"].acks)


def test_it_forgets_those_that_left_first(witness, monkeypatch):
    """And says from when on it knows all; whoever is here is remembered."""
    monkeypatch.setattr(module, "MAX_LEFT", 2)
    before = witness.since
    for session_id in "abcde":
        come(witness, session_id, None, 0, 0)
    for session_id in "dcb":
        witness.left(session_id, 9, "transport close")

    assert before < witness.since
    assert ["e", "c", "b", "a"] == [one["id"] for one in witness.tell("n", ANN, 1, 9)["sessions"]]
    assert [] == how(witness, 1, user_id=UserId("bob"))


def test_who_left_before_is_left_out_first(witness, monkeypatch):
    """What a user who comes and goes had is told, however often that was."""
    monkeypatch.setattr(module, "MAX_TOLD", 2)
    for session_id in "abcd":
        come(witness, session_id, None, 0, 0)
    for session_id in "bcd":
        witness.left(session_id, 3, "transport close")
    told = witness.tell("n", ANN, 4, 9)

    assert (["live", "left"], 0) == ([one["how"] for one in told["sessions"]], told["left_out"])
    assert 2 == witness.tell("n", ANN, 3, 9)["left_out"]


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
