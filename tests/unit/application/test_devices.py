"""The rules of devices and topics."""

import pytest

from tocsin.application.devices import check_device, check_topic
from tocsin.domain.device import DeviceDraft
from tocsin.domain.errors import Invalid


def draft(**fields):
    return DeviceDraft(**({"user_id": "456", "token": "a" * 20, "platform": "ios"} | fields))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"token": "a"},
        {"token": "!~" * 2_048},
        {"platform": "android"},
        {"platform": "web", "kind": "fid"},
        {"device_name": "민아의 폰"},
        {"device_name": "x" * 100},
    ],
)
def test_a_device_passes(fields):
    """Any printable token, each platform and kind, a name or none."""
    check_device(draft(**fields))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"token": ""}, "token"),
        ({"token": "a" * 4_097}, "token"),
        ({"token": "two words"}, "token"),
        ({"token": "line end\n"}, "token"),
        ({"token": "토큰"}, "token"),
        ({"token": None}, "token"),
        ({"token": b"bytes"}, "token"),
        ({"kind": "apns"}, "kind"),
        ({"kind": []}, "kind"),
        ({"platform": "windows"}, "platform"),
        ({"platform": None}, "platform"),
        ({"device_name": ""}, "device_name"),
        ({"device_name": "x" * 101}, "device_name"),
        ({"device_name": "nul\0"}, "device_name"),
        ({"device_name": 7}, "device_name"),
    ],
)
def test_what_breaks_a_rule_is_refused(fields, field):
    """The refusal names the field and tells no token."""
    with pytest.raises(Invalid, match=f"^{field} ") as refused:
        check_device(draft(**fields))
    assert "two words" not in str(refused.value)


@pytest.mark.parametrize("topic", ["", "a b", "/topics/news", "소식", "news\n", "x" * 901, None, 7, ["news"]])
def test_what_is_no_topic_is_refused(topic):
    """Also what is no text at all."""
    with pytest.raises(Invalid, match=r"^topic "):
        check_topic(topic)
