"""Membership of rooms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.rooms import Rooms


class Someone:
    def __init__(self):
        self.joined = ()


@pytest.fixture
def rooms():
    return Rooms()


def test_a_room_has_its_members_in_order(rooms):
    """Members are in order of joining; joining twice has no effect."""
    ann, bob, eve = Someone(), Someone(), Someone()
    for member in (ann, bob, ann, eve):
        rooms.join(member, "r")

    assert [ann, bob, eve] == list(rooms.members("r"))
    assert bob in rooms.members("r")


def test_a_lone_member_costs_no_container(rooms):
    """A room of one holds the member itself, also after it was bigger."""
    ann, bob = Someone(), Someone()
    rooms.join(ann, "r")
    assert rooms._rooms["r"] is ann
    rooms.join(bob, "r")
    rooms.leave(ann, "r")

    assert rooms._rooms["r"] is bob


def test_an_empty_room_does_not_exist(rooms):
    """The last one to leave takes the room along."""
    ann = Someone()
    rooms.join(ann, "r")
    rooms.leave(ann, "r")
    rooms.leave(ann, "r")

    assert 0 == len(rooms)
    assert 0 == len(rooms.members("r"))


def test_leaving_looks_at_own_rooms_only():
    """Leaving everything touches as many rooms as the member is in, however many there are."""

    class Counting(dict):
        touched = 0

        def __getitem__(self, key):
            Counting.touched += 1
            return super().__getitem__(key)

        def __iter__(self):
            raise AssertionError("a scan of all rooms")

    rooms = Rooms()
    rooms._rooms = Counting()
    for n in range(1000):
        rooms.join(Someone(), n)
    ann = Someone()
    rooms.join(ann, 1)
    rooms.join(ann, "own")
    Counting.touched = 0
    rooms.leave_all(ann)

    assert 2 == Counting.touched
    assert () == ann.joined


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 7), st.sampled_from(["join", "leave", "leave_all"]))))
def test_rooms_agree_with_sets(steps):
    """After any steps rooms and members tell the same as plain sets would."""
    rooms, people = Rooms(), [Someone() for _ in range(5)]
    expected = set()
    for who, room, step in steps:
        if step == "join":
            rooms.join(people[who], room)
            expected.add((who, room))
        elif step == "leave":
            rooms.leave(people[who], room)
            expected.discard((who, room))
        else:
            rooms.leave_all(people[who])
            expected = {(other, place) for other, place in expected if other != who}

    assert expected == {(who, room) for room in range(8) for who in range(5) if people[who] in rooms.members(room)}
    assert expected == {(who, room) for who in range(5) for room in people[who].joined}
    assert len({room for _, room in expected}) == len(rooms)
