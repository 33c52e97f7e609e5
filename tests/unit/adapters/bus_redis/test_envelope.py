"""What nodes tell each other survives the wire, and what is not exactly that is refused."""

import hmac

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.adapters.bus_redis import envelope as bus_envelope
from tocsin.adapters.bus_redis.envelope import Envelopes, Ephemeral, Refused
from tocsin.domain.stream import StreamEvent, StreamKey

KEY = "a key for tests, of more than thirty-two bytes"

EVENT = StreamEvent("alice", "/orders", 3, "019a-id", "order_updated", b'{"order_id":7}', 1_700_000_000_000)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: "\ud800" not in repr(value))

TEXT = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=128)
SEQ = st.integers(1, 2**53 - 1)
NAMESPACES = TEXT.map(lambda text: f"/{text[:100]}")


def encodable(value):
    try:
        return orjson.dumps(value)
    except TypeError:
        return b"{}"


OBJECTS = st.dictionaries(st.text(), JSON, max_size=4).map(encodable)
EVENTS = st.builds(StreamEvent, TEXT, NAMESPACES, SEQ, st.uuids().map(str), TEXT, OBJECTS, st.integers(0, 2**53 - 1))
EPHEMERAL = st.builds(
    Ephemeral, st.none() | TEXT, NAMESPACES, TEXT.map(lambda name: f"x{name[:100]}"), JSON.map(encodable)
)
KEYS = st.builds(StreamKey, TEXT, NAMESPACES)


def node(name="there", *, epoch="epoch-1", key=None):
    return Envelopes(name, lambda: epoch, key)


def message(**changes):
    """Return a message in order, with some fields replaced or (None) left out."""
    fields = {"v": 1, "node": "here", "epoch": "epoch-1", "kind": "events", "items": [written()]} | changes
    return orjson.dumps({name: value for name, value in fields.items() if value is not None})


def written(**changes):
    return list((EVENT._asdict() | {"payload": EVENT.payload.decode()} | changes).values())


def refusal(text, envelopes=None):
    with pytest.raises(Refused) as refused:
        (envelopes or node()).unpack(text)
    return refused.value.reason


@given(st.lists(EVENTS | EPHEMERAL | KEYS, max_size=20), st.sampled_from([None, KEY]))
def test_items_come_back_unchanged_and_in_order(items, key):
    """Whatever is published is what the other node hands on."""
    packed = list(node("here", key=key).pack(items))

    assert items == [item for text in packed for item in node(key=key).unpack(text)]


@given(st.binary(max_size=300) | st.text().map(str.encode) | JSON.map(encodable), st.sampled_from([None, KEY]))
def test_garbage_is_refused(text, key):
    """No bytes raise anything but a refusal."""
    assert refusal(text, node(key=key)) in {"malformed", "unsigned", "signed", "wrong_signature", "other_version"}


@given(
    st.sampled_from(["v", "node", "epoch", "kind", "items", "more"]),
    st.none() | JSON.filter(lambda value: value is not True and value != 1 and not isinstance(value, str)),
)
def test_an_envelope_with_another_field_is_refused(name, value):
    """A missing field, one of another type, and one too many."""
    if (name, value) == ("more", None):
        return

    assert refusal(message(**{name: value})) in {"malformed", "other_version"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", 7),
        ("user_id", ""),
        ("user_id", "a" * 129),
        ("user_id", "a\nb"),
        ("user_id", None),
        ("namespace", "orders"),
        ("namespace", 1),
        ("seq", 0),
        ("seq", -1),
        ("seq", True),
        ("seq", 2**53),
        ("seq", 1.0),
        ("seq", "1"),
        ("event_id", ""),
        ("event_id", 'x","seq":9,"y":"'),
        ("event_id", 1),
        ("event", ""),
        ("event", "e" * 129),
        ("event", ["order_updated"]),
        ("payload", {"order_id": 7}),
        ("payload", ""),
        ("payload", "[]"),
        ("payload", "{ }"),
        ("payload", ' {"a":1}'),
        ("payload", '{"a":1} '),
        ("payload", '{"a":1},{"b":2}'),
        ("payload", '{"a":NaN}'),
        ("created_at", -1),
        ("created_at", None),
    ],
)
def test_an_event_with_a_wrong_field_is_refused(field, value):
    """Nothing of the message is handed on."""
    assert "malformed" == refusal(message(items=[written(), written(**{field: value})]))


@pytest.mark.parametrize("items", [[], [[]], [7], [written()[:-1]], [[*written(), 1]], [written()] * 251, {}, "x"])
def test_items_of_another_form_are_refused(items):
    """None, too many, too short, too long, or no list."""
    assert "malformed" == refusal(message(items=items))


@pytest.mark.parametrize(
    "item",
    [
        ["alice", "/chat", "message_received", {}],
        ["alice", "/notifications", "notification", {"title": "forged"}],
        ["alice", "/chat", "auth_expired", {}],
        [None, "/chat", "resync", {}],
        ["alice", "/chat", "user_typing"],
    ],
)
def test_what_only_a_stream_or_a_node_says_is_not_ephemeral(item):
    """A forged one would be taken for the truth by a page."""
    assert "malformed" == refusal(message(kind="ephemeral", items=[item]))


def test_a_published_event_may_be_ephemeral():
    """A back end may ask for one that no stream keeps."""
    sent = Ephemeral("alice", "/orders", "order_updated", b'{"order_id":7}')

    assert [sent] == node().unpack(next(node("here").pack([sent])))


def test_a_message_over_the_bound_is_not_read():
    """However well it is made."""
    assert "too_big" == refusal(message(items=[written(payload='{"x":"%s"}' % ("x" * 1_048_576))]))


def test_another_release_of_the_protocol_is_told_apart():
    """Nodes of two releases may run for a while: the sweep serves between them."""
    assert "other_version" == refusal(message(v=2, something="new"))


def test_the_longest_names_and_payloads_fit():
    """No message that a node sends is too big for the others."""
    user_id, name = "👋" * 128, "한" * 128
    worst = StreamEvent(
        user_id, "/" + "👋" * 127, 2**53 - 1, "f" * 36, name, b'{"a":"%s"}' % (b"\\\\" * 60_000), 2**53 - 1
    )
    small = worst._replace(payload=b'{"a":"%s"}' % (b"\\\\" * 250))
    packed = list(node("here").pack([worst, *[small] * 600, worst]))

    assert [worst, *[small] * 600, worst] == [item for text in packed for item in node().unpack(text)]
    assert max(map(len, packed)) < bus_envelope.MAX_MESSAGE_BYTES


def test_another_epoch_tells_where_to_look_and_nothing_else():
    """Events become keys; ephemeral ones are refused."""
    there = node(epoch="epoch-2")
    events, ephemeral = node("here").pack([EVENT, Ephemeral("alice", "/chat", "user_typing", b"{}")])

    assert [EVENT.key] == there.unpack(events)
    assert "other_database" == refusal(ephemeral, there)


def test_a_signature_holds_for_its_message_alone():
    """A changed byte, a stolen signature, none, or one where no key is set."""
    signed = next(node("here", key=KEY).pack([EVENT]))
    changed = signed.replace(b'"order_id\\":7', b'"order_id\\":8')

    assert [EVENT] == node(key=KEY).unpack(signed)
    assert signed != changed
    assert "wrong_signature" == refusal(changed, node(key=KEY))
    assert "wrong_signature" == refusal(signed, node(key=KEY + "!"))
    assert "wrong_signature" == refusal(signed[:64].upper() + signed[64:], node(key=KEY))
    assert "wrong_signature" == refusal("é".encode() * 32 + signed[64:], node(key=KEY))
    assert "unsigned" == refusal(signed[64:], node(key=KEY))
    assert "signed" == refusal(signed)
    assert hmac.new(KEY.encode(), signed[64:], "sha256").hexdigest().encode() == signed[:64]


@pytest.mark.parametrize("key", [None, KEY])
def test_a_node_knows_its_own_messages(key):
    """They are told apart without being read."""
    here, there = node("here", key=key), node("there", key=key)
    text = next(here.pack([EVENT]))

    assert here.is_own(text)
    assert not there.is_own(text)


@pytest.mark.parametrize("more", ["", "00-nonsense", 7, None, f"00-{'0' * 32}-{'0' * 16}-01\n", f"{'x' * 4_096}"])
def test_what_an_event_carries_more_is_a_traceparent_or_nothing(more):
    """Anything else there is no message of ours."""
    assert "malformed" == refusal(message(items=[[*written(), more]]))
    assert "malformed" == refusal(message(items=[[*written(), f"00-{'a' * 32}-{'b' * 16}-01", "x"]]))


def test_an_event_may_carry_where_it_is_in_its_trace():
    """A node that follows nothing takes the event alone."""
    assert [EVENT] == node().unpack(message(items=[[*written(), f"00-{'a' * 32}-{'b' * 16}-01"]]))


@pytest.mark.parametrize("before", [b" ", b"\n", b" " * 65])
def test_white_space_before_the_json_is_no_nodes(before):
    """Signed or not, a message begins with its brace."""
    assert "malformed" == refusal(before + message())
