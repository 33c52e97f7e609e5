"""Asking all nodes: who answers, who is waited for, and what a stranger on the bus can not do."""

import asyncio

import pytest

from tocsin.application import nodes as module
from tocsin.application.nodes import NAMESPACE, Nodes
from tocsin.domain.errors import Invalid


class Wire:
    """A bus of some nodes; a deaf one hears nothing."""

    def __init__(self):
        self.nodes = []
        self.sent = []
        self.deaf = set()

    def publish_ephemeral(self, user_id, namespace, event, payload):
        assert (user_id, namespace) == (None, NAMESPACE)
        self.sent.append((event, payload))
        for node in self.nodes:
            if node.name not in self.deaf:
                asyncio.get_running_loop().call_soon(node.on_ephemeral, namespace, payload)


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def node(wire):
    def node(name):
        node = Nodes(wire, is_shared=True, name=name)
        node.answer("name", lambda given: f"{name} {given.get('what', '')}".strip())
        wire.nodes.append(node)
        return node

    return node


async def test_each_answers(node):
    """This one first, the others under their names."""
    first, _, _ = node("a"), node("b"), node("c")
    answers = await first.ask("name", {"what": "x"})

    assert {"a": "a x", "b": "b x", "c": "c x"} == answers
    assert "a" == next(iter(answers))


async def test_those_that_are_known_are_waited_for_and_nobody_else(node, monkeypatch):
    """Once a node has answered, a question is over with its answer and not with the time."""
    first, _ = node("a"), node("b")
    await first.ask("name")
    monkeypatch.setattr(module, "PATIENCE_S", 3600.0)

    assert {"a", "b"} == set(await first.ask("name"))


async def test_one_that_is_silent_is_left_out_and_not_waited_for_again(node, wire, monkeypatch):
    """It has died, or is cut off; when it is back, its late answer makes it known again."""
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    first, _, _ = node("a"), node("b"), node("c")
    await first.ask("name")
    wire.deaf.add("b")
    assert {"a", "c"} == set(await first.ask("name"))
    wire.deaf.clear()
    await first.ask("name")

    assert {"a", "b", "c"} == set(await first.ask("name"))


async def test_who_is_silent_is_named(node, wire, monkeypatch):
    """Also when it is not waited for any more, until it is forgotten."""
    first, _, _ = node("a"), node("b"), node("c")
    await first.ask("name")
    wire.deaf.add("b")

    for patience_s in (0.01, 3600.0):
        monkeypatch.setattr(module, "PATIENCE_S", patience_s)
        assert ["b"] == (await first.survey("name")).silent
    monkeypatch.setattr(module, "KNOWN_S", 0.0)
    assert "b" not in (await first.survey("name")).silent


async def test_nodes_that_are_heard_to_live_are_waited_for(node, wire, monkeypatch):
    """And told of when they are silent, before they were ever known by name."""
    first, _ = node("a"), node("b")
    monkeypatch.setattr(module, "FIRST_S", 0.0)
    monkeypatch.setattr(module, "PATIENCE_S", 3600.0)
    first.others = lambda: 1
    assert ({"a": "a", "b": "b"}, []) == await first.survey("name")
    monkeypatch.setattr(module, "PATIENCE_S", 0.01)
    first.others = lambda: 3
    assert ["2 more"] == (await first.survey("name")).silent
    first.others = lambda: None

    assert ["others, which can't be heard now"] == (await first.survey("name")).silent


async def test_a_single_node_asks_nobody(wire):
    """Nothing goes over the bus."""
    alone = Nodes(wire, is_shared=False, name="a")
    alone.answer("name", lambda _: 1)

    assert {"a": 1} == await alone.ask("name")
    assert [] == wire.sent


async def test_two_nodes_of_one_name_are_told_apart(node):
    """Machines may be called alike."""
    first, _, _ = node("a"), node("a"), node("b")

    assert 3 == len(await first.ask("name"))


async def test_a_refusal_is_the_askers_own_and_silence_the_others(node):
    """Another node's fault is no answer, and no error here."""

    def refuse(_):
        raise Invalid("not so")

    def fail(_):
        raise RuntimeError("a bug")

    first, second, third = node("a"), node("b"), node("c")
    first.answer("q", lambda _: 1)
    second.answer("q", refuse)
    third.answer("q", fail)
    assert {"a": 1} == await first.ask("q")
    with pytest.raises(Invalid):
        await second.ask("q")


async def test_what_is_no_message_is_passed_over(node, wire):
    """Whoever reaches the bus can word anything."""
    first = node("a")
    for payload in (
        None,
        [],
        {"node": "x"},
        {"node": "x", "question": "unknown", "number": "1", "given": {}},
        {"node": "x", "question": "name", "number": "1", "given": 7},
        {"node": "x", "name": "y" * 999, "number": "1", "answer": 1},
        {"node": 1, "name": "y", "number": "1", "answer": 1},
    ):
        assert first.on_ephemeral(NAMESPACE, payload)
    await asyncio.sleep(0)

    assert not first.on_ephemeral("/notifications", {"node": "x"})
    assert [] == wire.sent
    await first.stop()
