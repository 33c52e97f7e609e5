"""The registry of events against the guide's list."""

from typing import get_type_hints

import pytest

from tocsin.domain.errors import Invalid
from tocsin.domain.events import (
    CLIENT_EVENTS,
    CONTROL_EVENTS,
    CONTROL_REQUESTS,
    LIBRARY_EVENTS,
    NAMESPACES,
    REGISTRY,
    check_event_name,
    check_host_event,
    check_live_event,
    check_namespace,
    find_event_type,
)
from tocsin.engine.packets import RESERVED_EVENTS

GUIDE = {
    "/sns": "publish_started publish_success publish_failed post_liked post_commented user_online user_offline",
    "/orders": "order_updated shipment_update delivery_confirmed",
    "/chat": "message_received user_typing message_read user_online user_offline",
    "/notifications": "notification notification_read notification_deleted",
}


@pytest.mark.parametrize(("namespace", "name"), [(ns, name) for ns, names in GUIDE.items() for name in names.split()])
def test_every_event_of_the_guide_is_registered(namespace, name):
    """Each of the guide's names is found on its namespace."""
    kind = find_event_type(namespace, name)

    assert kind is not None
    assert (namespace, name) == (kind.namespace, kind.name)


def test_what_nobody_registered_is_not_found():
    """A name belongs to its namespace."""
    assert find_event_type("/orders", "post_liked") is None
    assert find_event_type("/nowhere", "notification") is None


def test_names_are_unique():
    """No event is registered twice, none has the name of a control event."""
    names = [(kind.namespace, kind.name) for kind in REGISTRY]

    assert len(names) == len(set(names))
    assert not {kind.name for kind in REGISTRY} & CONTROL_EVENTS.keys()
    assert {kind.namespace for kind in REGISTRY} == set(NAMESPACES)


def test_what_may_be_missed_is_ephemeral():
    """Presence, typing, and what tells of a thing that is kept elsewhere; all else stands in streams."""
    ephemeral = {kind.name for kind in REGISTRY if not kind.durable}

    assert {"user_online", "user_offline", "user_typing", "to_device", "devices_changed", "unread_count"} | {
        "preferences_changed"
    } == ephemeral


def test_no_payload_claims_a_field_of_the_stream():
    """The server puts in event_id, seq and epoch; what no stream keeps has none, or a cursor would count it."""
    for kind in REGISTRY:
        assert not get_type_hints(kind.payload).keys() & {"event_id", "seq", "epoch"}


@pytest.mark.parametrize(
    ("namespace", "event"), [("/", "joke"), ("/sns", "joke"), ("/종", "농담 🔔"), ("/orders", "post_liked")]
)
def test_an_application_may_send_any_other_event_live(namespace, event):
    """A name is taken on the namespace where it is registered only."""
    check_live_event(namespace, event)


@pytest.mark.parametrize("kind", REGISTRY, ids=lambda kind: f"{kind.namespace} {kind.name}")
def test_no_event_of_the_registry_is_sent_live(kind):
    """A client would take it for one of its stream; the refusal is a line that tells the way."""
    with pytest.raises(Invalid, match=r"publish it with broadcast_|another name") as refusal:
        check_live_event(kind.namespace, kind.name)

    assert "\n" not in refusal.value.detail


@pytest.mark.parametrize("event", sorted({*CONTROL_EVENTS, *LIBRARY_EVENTS}))
@pytest.mark.parametrize("namespace", ["/", "/sns", "/game"])
def test_no_control_event_is_sent_live(namespace, event):
    """On any namespace, the host's own too."""
    with pytest.raises(Invalid, match="another name"):
        check_live_event(namespace, event)


def test_the_events_of_the_library_are_those_that_the_engine_refuses():
    """What no packet may carry is refused where it is registered or sent."""
    assert RESERVED_EVENTS == LIBRARY_EVENTS


@pytest.mark.parametrize("name", ["", "x" * 129, "line\nbreak", "\x00", "\ud800", None, 5, b"bytes"])
def test_names_that_cannot_be_used_are_refused(name):
    """For events as for namespaces."""
    with pytest.raises(Invalid):
        check_event_name(name)
    with pytest.raises(Invalid):
        check_namespace(f"/{name}" if isinstance(name, str) and name else name)


@pytest.mark.parametrize("namespace", ["sns", "", "/a,b", "/a?b", "/a\u2028"])
def test_a_namespace_has_the_form_of_the_wire(namespace):
    """``/`` or ``/name``; a comma or question mark would end it."""
    with pytest.raises(Invalid):
        check_namespace(namespace)


OWN = [(namespace, name) for namespace, names in CLIENT_EVENTS.items() for name in sorted(names)]


@pytest.mark.parametrize(
    ("namespace", "event"),
    [
        *(own for own in OWN if own != ("/sns", "publish_start")),
        *((namespace, name) for namespace in ("/", "/chat", "/game") for name in sorted(CONTROL_REQUESTS)),
    ],
)
def test_what_the_server_takes_is_not_the_applications(namespace, event):
    """One line tells so."""
    with pytest.raises(Invalid, match="taken by the server itself"):
        check_host_event(namespace, event)


@pytest.mark.parametrize(
    ("namespace", "event"),
    [("/sns", "publish_start"), ("/", "publish_start"), ("/", "message"), ("/game", "typing"), ("/orders", "delete")],
)
def test_an_application_may_take_any_other_client_event(namespace, event):
    """Names are the server's on their namespace only, and ``publish_start`` is meant to be taken."""
    check_host_event(namespace, event)
