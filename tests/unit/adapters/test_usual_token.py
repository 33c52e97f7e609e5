"""The short way of a token: it accepts nothing that PyJWT would not, and says the same of what it accepts."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.adapters.usual_token import read_usual

KEY = b"a secret of thirty-two bytes or so"
NOW = time.time()
CLAIM = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=4), st.just([7])
)
CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "exp": st.one_of(CLAIM, st.integers(int(NOW) - 100, int(NOW) + 1_000)),
        "sub": CLAIM,
        "nbf": CLAIM,
        "iss": st.one_of(CLAIM, st.just("us")),
        "aud": st.one_of(CLAIM, st.just("them"), st.just(["them"])),
        "jti": CLAIM,
        "iat": CLAIM,
        "종": CLAIM,
    },
)
HEADERS = st.one_of(
    st.sampled_from(['{"alg":"HS256","typ":"JWT"}', '{"typ":"JWT","alg":"HS256"}', '{"alg":"HS256"}']),
    st.sampled_from(['{"alg":"none"}', '{"alg":"HS512"}', '{"alg":"HS256","crit":["b64"],"b64":false}', "[]", ""]),
)
EXPECTED = st.sampled_from([{}, {"iss": "us"}, {"aud": "them"}, {"iss": "us", "aud": "them"}])


def segment(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(text, key=KEY):
    return f"{text}.{segment(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


def judged(token, expected):
    """Return what PyJWT makes of it, None where it refuses."""
    required = ["exp", "sub", *expected]
    try:
        return jwt.decode(
            token,
            KEY,
            algorithms=["HS256"],
            issuer=expected.get("iss"),
            audience=expected.get("aud"),
            options={"require": required, "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
        return None


@given(HEADERS, CLAIMS, EXPECTED)
def test_what_is_accepted_pyjwt_accepts_alike(header, claims, expected):
    """Whatever stands in a token that is rightly signed."""
    token = signed(f"{segment(header.encode())}.{segment(json.dumps(claims).encode())}")
    read = read_usual(token, KEY, expected, NOW)

    assert read is None or judged(token, expected) == read


@pytest.mark.parametrize("expected", [{}, {"iss": "us"}, {"iss": "us", "aud": "them"}])
def test_the_usual_token_is_read(expected):
    """Of PyJWT itself, with what is expected of it."""
    claims = {"sub": "7", "exp": int(NOW) + 60, "iat": int(NOW), "scope": "publish", **expected}

    assert claims == read_usual(jwt.encode(claims, KEY, "HS256"), KEY, expected, NOW)


# In the other alphabet of base64, with a plus.
PLUS = b'{"sub":"7>>>","exp":9999999999}'
HEADER = segment(b'{"alg":"HS256"}')
STANDARD = f"{HEADER}.{base64.b64encode(PLUS).decode().rstrip('=')}"
GOOD = HEADER + "." + segment(json.dumps({"sub": "7", "exp": int(NOW) + 60}).encode())


@given(st.text(alphabet=st.characters(min_codepoint=0, max_codepoint=127), max_size=80), st.integers(0, 200))
def test_a_changed_token_is_not_read(inserted, at):
    """One byte more anywhere, and it is PyJWT's to refuse."""
    token = signed(GOOD)
    changed = token[:at] + inserted + token[at:]

    assert read_usual(changed, KEY, {}, NOW) is None or changed == token


@pytest.mark.parametrize("text", [GOOD + "=", GOOD + "\n", GOOD + ".e30", STANDARD, ".", "..", ""])
def test_what_is_not_base64url_is_not_read(text):
    """Rightly signed or not: Python's own decoder would leave out what it does not know."""
    assert read_usual(signed(text), KEY, {}, NOW) is None


def test_another_key_signs_nothing():
    """Nor does an empty signature."""
    assert read_usual(signed(GOOD, b"another secret of thirty-two bytes"), KEY, {}, NOW) is None
    assert read_usual(f"{GOOD}.", KEY, {}, NOW) is None


def test_what_has_expired_is_not_read():
    """At the very second, as with PyJWT."""
    assert read_usual(signed(GOOD), KEY, {}, int(NOW) + 59) is not None
    assert read_usual(signed(GOOD), KEY, {}, int(NOW) + 60) is None
