"""Web Push: what is shown of a subscription, points of the curve, signed receipts."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.errors import Forbidden
from tocsin.domain.web_push import (
    MAX_RECEIPT,
    RECEIPT,
    PushKeys,
    WebPushDraft,
    WebPushSubscription,
    from_base64url,
    host_of,
    is_public_key,
    read_receipt,
    sign_receipt,
    to_base64url,
)

SECRETS = {"endpoint": "https://fcm.googleapis.com/fcm/send/secret", "p256dh": "secret-point", "auth": "secret-auth"}
KEY = b"k" * 32
ID = "01a20706-21cc-746e-9e0e-fae2f090088c"
# RFC 8291, Appendix A: the user agent's public key.
POINT = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
BYTES = base64.urlsafe_b64decode(f"{POINT}=")


def test_nothing_secret_is_shown():
    """Neither in an answer nor in a repr; of the endpoint the host alone."""
    one = WebPushSubscription(id=ID, user_id="7", user_agent="Firefox", created_at=0, last_seen_at=0, **SECRETS)
    draft = WebPushDraft(user_id="7", **SECRETS)
    keys = PushKeys("secret-pem", b"secret-key")

    assert "secret" not in repr(one) + repr(draft) + repr(keys) + repr(one.json())
    assert {"id": ID, "created_at": "1970-01-01T00:00:00.000Z"} == one.json()
    assert "fcm.googleapis.com" == one.host


@pytest.mark.parametrize("endpoint", ["", "no URL", "https://[", "https:///x"])
def test_what_has_no_host_shows_none(endpoint):
    """Of what can't be an endpoint nothing is told."""
    assert not host_of(endpoint)


@pytest.mark.parametrize("text", [POINT, f"{POINT}="])
def test_a_point_of_the_curve_is_a_key(text):
    """With padding and without."""
    assert is_public_key(text)


def test_every_key_is_a_point():
    """Keys that a library makes pass."""
    for _ in range(20):
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        assert is_public_key(to_base64url(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)))


def changed(place, value):
    return to_base64url(BYTES[:place] + bytes([value]) + BYTES[place + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A" * 87,
        POINT[:-1],
        f"{POINT}A",
        POINT.replace("_", "/"),
        changed(64, BYTES[64] ^ 1),
        changed(1, BYTES[1] ^ 1),
        changed(0, 2),
        changed(0, 0),
        to_base64url(b"\4" + bytes(64)),
        to_base64url(b"\4" + b"\xff" * 64),
        to_base64url(b"\4" + (2**256 - 2**224 + 2**192 + 2**96 - 1).to_bytes(32) + bytes(32)),
        to_base64url(BYTES[:33]),
    ],
)
def test_what_is_no_point_is_no_key(text):
    """Too short, compressed, off the curve, beyond the field: a library may say so only when something is sent."""
    assert not is_public_key(text)


@given(st.binary())
def test_base64url_leads_back(data):
    """Every byte string has one text."""
    assert data == from_base64url(to_base64url(data))


@pytest.mark.parametrize("text", ["A", "AB", "A B", "+/==", "AA\n", "ÄÄ"])
def test_other_texts_are_no_base64url(text):
    """Stray characters, and bits that no byte has."""
    with pytest.raises(ValueError, match="is not base64url"):
        from_base64url(text)


@pytest.mark.parametrize("notification_id", [None, ID, "any id", "x" * 128])
def test_a_receipt_says_what_was_signed(notification_id):
    """And fits where it is taken."""
    receipt = sign_receipt(KEY, ID, notification_id)

    assert (ID, notification_id) == read_receipt(KEY, receipt)
    assert RECEIPT.fullmatch(receipt)
    assert len(receipt) <= MAX_RECEIPT


def test_the_same_receipt_is_signed_each_time():
    """A second try of a push brings the same proof."""
    assert sign_receipt(KEY, ID, "n") == sign_receipt(KEY, ID, "n")


@given(st.text(max_size=40))
def test_what_was_not_signed_is_refused(text):
    """Whatever it is."""
    with pytest.raises(Forbidden):
        read_receipt(KEY, text)


def test_a_receipt_that_was_changed_is_refused():
    """In any place, or signed with another key."""
    receipt = sign_receipt(KEY, ID, "n")
    forged = [
        receipt[:place] + ("A" if one != "A" else "B") + receipt[place + 1 :] for place, one in enumerate(receipt)
    ]

    for one in [*forged, f"{receipt}\n", f"{receipt}=", receipt.partition(".")[0], sign_receipt(b"x" * 32, ID, "n")]:
        with pytest.raises(Forbidden, match="not given out"):
            read_receipt(KEY, one)
