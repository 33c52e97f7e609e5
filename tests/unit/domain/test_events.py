"""The registry of events against the guide's list."""

from typing import get_type_hints

import pytest

from tocsin.domain.events import CONTROL_EVENTS, NAMESPACES, REGISTRY, find_event_type

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


def test_presence_and_typing_are_ephemeral():
    """Only what may be missed is not kept."""
    ephemeral = {kind.name for kind in REGISTRY if not kind.durable}

    assert {"user_online", "user_offline", "user_typing"} == ephemeral


def test_no_payload_claims_a_field_of_the_stream():
    """event_id, seq and epoch are put in by the server."""
    for kind in REGISTRY:
        assert not get_type_hints(kind.payload).keys() & {"event_id", "seq", "epoch"}
