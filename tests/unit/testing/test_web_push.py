"""The fake push service decrypts as browsers do."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tocsin.domain.web_push import from_base64url
from tocsin.testing.web_push import decrypt

# RFC 8291, Appendix A.
PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
MESSAGE = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_y"
    "l95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
KEY = ec.derive_private_key(int.from_bytes(from_base64url(PRIVATE)), ec.SECP256R1())


def test_the_example_of_the_rfc():
    """Its own message, key and secret."""
    plain = decrypt(from_base64url(MESSAGE), KEY, from_base64url(AUTH))

    assert plain == b"When I grow up, I want to be a watermelon"


@pytest.mark.parametrize("place", [0, 20, 30, 90, 143])
def test_what_was_changed_is_refused(place):
    """In salt, key or text."""
    body = bytearray(from_base64url(MESSAGE))
    body[place] ^= 0xFF
    with pytest.raises(ValueError, match=r"."):
        decrypt(bytes(body), KEY, from_base64url(AUTH))


@pytest.mark.parametrize("body", [b"", b"short", bytes(21), bytes(200)])
def test_what_is_no_message_is_refused(body):
    """Too short, or without a key."""
    with pytest.raises(ValueError, match=r"."):
        decrypt(body, KEY, from_base64url(AUTH))
