"""The host's handlers: called as their signature says, acked as what they return."""

import asyncio
import functools
import inspect
import threading
import uuid
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.errors import Invalid
from tocsin.domain.rate import Rate
from tocsin.domain.user_id import UserId
from tocsin.realtime.host_events import HostEvents, HostHandler, ack_of, find_rate, limit

ANN = UserId("7")


class Host:
    def none(self):
        return ()

    def data(self, data):
        return (data,)

    def user_and_data(self, user_id, data):
        return (user_id, data)

    @staticmethod
    def static(data):
        return (data,)

    def __call__(self, user_id, data):
        return (user_id, data)


class AsyncHost:
    async def __call__(self, data):
        return (data,)


def none():
    return ()


def data(data):
    return (data,)


def data_or_not(data="default"):
    return (data,)


def user_and_data(user_id, data):
    return (user_id, data)


def user_and_data_or_not(user_id, data="default"):
    return (user_id, data)


def three(user_id, first, second):
    return (user_id, first, second)


def everything(*args):
    return args


def user_and_everything(user_id, *args):
    return (user_id, *args)


def with_option(data, *, colour="red"):
    return (data, colour)


def positional(user_id, data, /):
    return (user_id, data)


async def user_and_data_async(user_id, data):
    return (user_id, data)


@functools.wraps(user_and_data)
def wrapped(*args, **kwargs):
    return user_and_data(*args, **kwargs)


def called(function, *args):
    answer = HostHandler(function).bind(ANN, args)()
    return asyncio.run(answer) if inspect.isawaitable(answer) else answer


@pytest.mark.parametrize(
    ("function", "sent", "got"),
    [
        (none, (), ()),
        (none, ("ignored",), ()),
        (data, ("d",), ("d",)),
        (data, (None,), (None,)),
        (data_or_not, (), ("default",)),
        (user_and_data, ("d",), (7, "d")),
        (user_and_data_or_not, (), (7, "default")),
        (user_and_data_or_not, ("d",), (7, "d")),
        (three, ("a", "b"), (7, "a", "b")),
        (everything, (), (7,)),
        (everything, ("a", "b"), (7, "a", "b")),
        (user_and_everything, ("a", "b"), (7, "a", "b")),
        (with_option, ("d",), ("d", "red")),
        (positional, ("d",), (7, "d")),
        (user_and_data_async, ("d",), (7, "d")),
        (wrapped, ("d",), (7, "d")),
        (Host().none, (), ()),
        (Host().data, ("d",), ("d",)),
        (Host().user_and_data, ("d",), (7, "d")),
        (Host.static, ("d",), ("d",)),
        (Host(), ("d",), (7, "d")),
        (AsyncHost(), ("d",), ("d",)),
        (functools.partial(three, "bound"), ("d",), ("bound", 7, "d")),
        (functools.partial(user_and_data_async, "bound"), ("d",), ("bound", "d")),
        (functools.partial(with_option, colour="blue"), ("d",), ("d", "blue")),
        (lambda data: (data,), ("d",), ("d",)),
    ],
)
def test_a_handler_gets_what_its_signature_asks_for(function, sent, got):
    """Nothing, the data, or the user before all that was sent."""
    assert got == called(function, *sent)


@pytest.mark.parametrize(
    ("function", "sent"),
    [
        (none, ("a", "b")),
        (data, ()),
        (data, ("a", "b")),
        (user_and_data, ()),
        (user_and_data, ("8", "d")),
        (user_and_data_or_not, ("a", "b")),
        (three, ("a",)),
        (functools.partial(three, "bound"), ("a", "b")),
    ],
)
def test_another_number_of_arguments_is_refused(function, sent):
    """The client is told, the handler is not called; no argument of a client can stand for the user."""
    with pytest.raises(Invalid, match="wrong number of arguments"):
        HostHandler(function).bind(ANN, sent)


def test_the_user_has_the_form_of_json():
    """A number where it is one, else a string: as in every payload."""
    assert (7, None) == HostHandler(user_and_data).bind(UserId("7"), (None,))()
    assert ("u-7", None) == HostHandler(user_and_data).bind(UserId("u-7"), (None,))()


def needs_keyword(data, *, colour):
    return (data, colour)


@pytest.mark.parametrize("function", [needs_keyword, dict, 5, None, "handler"])
def test_what_cannot_be_called_by_position_is_refused_at_registration(function):
    """With one line that says why."""
    with pytest.raises(Invalid) as refusal:
        HostHandler(function)

    assert "\n" not in refusal.value.detail


def test_async_callables_of_any_kind_are_known():
    """Functions, objects and partials of both are called on the loop, others in threads."""
    asyncs = [
        user_and_data_async,
        AsyncHost(),
        functools.partial(user_and_data_async, 1),
        functools.partial(AsyncHost()),
    ]
    syncs = [data, Host(), Host().data, functools.partial(data), functools.partial(Host())]

    assert [True] * 4 + [False] * 5 == [HostHandler(function).is_async for function in asyncs + syncs]


# What is acked


@pytest.mark.parametrize(
    ("answer", "ack"),
    [
        (None, {"ok": True}),
        ({}, {"ok": True}),
        ({"id": 5}, {"ok": True, "id": 5}),
        ({"ok": True, "id": 5}, {"ok": True, "id": 5}),
        ("text 🔔", {"ok": True, "result": "text 🔔"}),
        (False, {"ok": True, "result": False}),
        (0, {"ok": True, "result": 0}),
        ([1, None], {"ok": True, "result": [1, None]}),
        ((1, 2), {"ok": True, "result": [1, 2]}),
        (uuid.UUID(int=1), {"ok": True, "result": "00000000-0000-0000-0000-000000000001"}),
        (datetime(2026, 11, 23, 1, 15), {"ok": True, "result": "2026-11-23T01:15:00Z"}),  # noqa: DTZ001 a naive one
        ({"at": datetime(2026, 11, 23, 1, 15, tzinfo=UTC)}, {"ok": True, "at": "2026-11-23T01:15:00Z"}),
        ({1: "key"}, {"ok": True, "1": "key"}),
    ],
)
def test_what_a_handler_returns_is_acked(answer, ack):
    """Nothing, an object merged, or any other JSON as ``result``."""
    assert ack == orjson.loads(orjson.dumps(ack_of(HostHandler(none), answer)))


@pytest.mark.parametrize(
    "answer",
    [b"bytes", {"file": b"bytes"}, object(), {(): "key"}, 2**70, "\ud800", {"ok": True, "x": {1, 2}}, "x" * 300_000],
)
def test_what_is_no_json_is_a_mistake_of_the_handler(answer):
    """Binary, objects, keys that JSON can't have, more than the bound: the error names the handler."""
    with pytest.raises(TypeError, match=r"test_host_events\.none returned"):
        ack_of(HostHandler(none), answer)


@pytest.mark.parametrize("ok", [False, None, 0, 1, "true", []])
def test_ok_is_the_servers_own(ok):
    """A handler can't ack ``ok: false`` as if it were a refusal, nor any other ``ok``."""
    with pytest.raises(TypeError, match="raise a TocsinError"):
        ack_of(HostHandler(none), {"ok": ok, "error": "no"})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(JSON | st.dictionaries(st.just("ok"), JSON))
def test_whatever_is_returned_is_acked_or_a_mistake(answer):
    """No answer gives an ack that the engine can't send or whose ``ok`` is not True."""
    try:
        ack = ack_of(HostHandler(none), answer)
    except TypeError:
        return

    assert orjson.loads(orjson.dumps(ack))["ok"] is True


# Marks


def test_a_mark_is_found_wherever_it_was_set():
    """Above or below a decorator that wraps the function; on methods and callables too."""

    @limit("5/second")
    def below():
        pass

    @functools.wraps(below)
    def around(*args):
        return below(*args)

    def above():
        pass

    outer = functools.wraps(above)(functools.partial(above))
    limit("10 per minute")(above)
    host = Host()
    limit("2 per hour")(host)

    assert Rate(5, 1.0) == find_rate(below) == find_rate(around) == find_rate(functools.partial(around))
    assert Rate(10, 60.0) == find_rate(outer)
    assert Rate(2, 3_600.0) == find_rate(host)
    assert find_rate(none) is None


def test_a_mark_of_a_method_holds_for_the_method():
    """A decorated method has its rate when it is registered bound."""

    class Marked:
        @limit("3 per day")
        def on_event(self, data):
            pass

    assert Rate(3, 86_400.0) == find_rate(Marked().on_event)


@pytest.mark.parametrize("rate", ["", "often", "0 per minute", "10 per fortnight"])
def test_a_mark_that_is_no_rate_is_refused(rate):
    """At the decorator, not at the first event."""
    with pytest.raises(Invalid, match="not a rate"):
        limit(rate)


def test_what_cannot_be_marked_says_so():
    """A built-in function has no place for a mark."""
    with pytest.raises(Invalid, match="can't be given a rate"):
        limit("5/second")(len)


# Calls


@pytest.fixture
async def host():
    events = HostEvents(8)
    yield events
    await events.stop(20.0)


async def test_an_event_has_one_handler(host):
    """A second one is refused, and told which is the first."""
    host.add("/", "roll", user_and_data)
    with pytest.raises(Invalid, match="user_and_data already"):
        host.add("/", "roll", data)

    host.add("/game", "roll", data)
    assert {"ok": True, "result": [7, "d"]} == orjson.loads(
        orjson.dumps(await host.call(host.find("/", "roll"), ANN, "socket", ("d",)))
    )
    assert host.find("/", "other") is None


async def test_a_sync_handler_that_returns_an_awaitable_is_awaited(host):
    """A lambda around an async function answers as the function does."""
    handler = host.add("/", "roll", lambda data: user_and_data_async("me", data))

    assert ["me", "d"] == orjson.loads(orjson.dumps(await host.call(handler, ANN, "socket", ("d",))))["result"]


@pytest.mark.parametrize("error", [SystemExit, asyncio.CancelledError])
async def test_an_async_handler_cannot_end_the_loop(host, error):
    """What the loop would take for its own end is an error of the handler."""

    async def fail():
        raise error

    with pytest.raises(RuntimeError):
        await host.call(host.add("/", "roll", fail), ANN, "socket", ())


async def test_an_async_handler_can_be_cancelled(host):
    """A call that is cancelled from outside ends as such."""
    forever = asyncio.Event()

    async def wait():
        await forever.wait()

    call = asyncio.create_task(host.call(host.add("/", "roll", wait), ANN, "socket", ()))
    await asyncio.sleep(0)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call


async def test_one_user_has_a_quarter_of_the_threads(host):
    """However many sockets of a user hang, and come back to hang again, others are handled."""
    gate, begun = threading.Event(), []

    def hang(user_id, data):
        begun.append(data)
        assert gate.wait(20.0)

    handler = host.add("/", "hang", hang)
    calls = [asyncio.create_task(host.call(handler, ANN, f"socket {number}", (number,))) for number in range(100)]
    for number in range(20):
        answer = await host.call(
            host.find("/", "roll") or host.add("/", "roll", data), UserId("8"), "socket", (number,)
        )
        assert {"ok": True, "result": [number]} == orjson.loads(orjson.dumps(answer))

    assert 2 == len(begun)
    gate.set()
    await asyncio.gather(*calls)
    assert list(range(100)) == sorted(begun)


async def test_calls_for_one_socket_keep_their_order(host):
    """Those for other sockets may run meanwhile."""
    seen = []
    handler = host.add("/", "note", lambda user_id, data: seen.append(data))
    sent = [(f"socket {number % 7}", number) for number in range(350)]
    await asyncio.gather(*(host.call(handler, ANN, socket, ((socket, number),)) for socket, number in sent))

    for number in range(7):
        socket = f"socket {number}"
        assert [one for one in sent if one[0] == socket] == [one for one in seen if one[0] == socket]
