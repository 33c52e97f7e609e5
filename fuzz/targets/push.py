"""Pushes: what is sent fits and is valid, keys are judged as the libraries judge them, no URL leads astray."""

from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from yarl import URL

from fuzz.reading import Reading
from fuzz.target import Target
from tocsin.adapters.fcm import messages
from tocsin.adapters.push_endpoints import NotAllowed, PushEndpoints, is_public
from tocsin.adapters.retry_after import retry_after_s
from tocsin.adapters.web_push import MAX_PLAIN_BYTES, _closing, _encrypt, _payload
from tocsin.domain.errors import Forbidden
from tocsin.domain.push import MAX_PAYLOAD_BYTES, PushMessage, fitted, topic_of
from tocsin.domain.user_id import UserId
from tocsin.domain.web_push import (
    AUTH,
    P256DH,
    WebPushSubscription,
    from_base64url,
    is_public_key,
    read_receipt,
    sign_receipt,
    to_base64url,
)

_KEY = b"k" * 32
_HOSTS = ("fcm.googleapis.com", "push.apple.com", "127.0.0.1:9999")
_ENDPOINTS = PushEndpoints(_HOSTS)
_POINT = ec.derive_private_key(7, ec.SECP256R1()).public_key()


def _data(raw: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {"raw": raw.decode(errors="ignore")}
    return value if isinstance(value, dict) else {"value": value}


def _message(reading: Reading) -> None:
    """Whatever is in a message, what is sent fits, and is JSON."""
    title = reading.text()[:200]
    body = reading.text() * (1 + reading.byte() % 40)
    message = PushMessage(
        title=title,
        body=body[:4_000],
        collapse_key=reading.text()[:64] or None,
        badge=reading.number(2) if reading.flag() else None,
        link=reading.pick((None, "/orders/1", "https://shop.example/")),
        notification_id=reading.pick((None, "0193b2c4-7d1e-7a2f-9c3b-5e6f708192a3")),
        priority=reading.pick(("low", "normal", "high", "urgent")),
        data=_data(reading.rest()),
    )
    receipt = sign_receipt(_KEY, "0193b2c4-7d1e-7a2f-9c3b-5e6f708192a3", message.notification_id)
    shown = fitted(message, lambda one: len(_payload(one, "now", receipt)), MAX_PLAIN_BYTES)
    payload = _payload(shown, "now", receipt)
    assert len(payload) <= MAX_PLAIN_BYTES
    assert orjson.loads(payload)["tag"] == message.tag
    assert shown.title == title
    made = messages.message_maker(message)("fid", "t")
    # Firebase's own encoder raises on what Firebase would refuse.
    assert orjson.loads(str(made))
    assert len(orjson.dumps(made.data)) <= MAX_PAYLOAD_BYTES
    assert len(topic_of(message.tag)) <= 32
    _closing([message.tag])


def _keys(reading: Reading) -> None:
    """A key is one exactly where cryptography says so, and then it can be encrypted to."""
    raw = reading.rest()
    text = raw.decode("latin-1")
    try:
        point = from_base64url(text)
    except ValueError:
        assert not is_public_key(text)
        point = raw[:65]
        text = to_base64url(point)
    assert from_base64url(to_base64url(point)) == point
    is_key = True
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        is_key = False
    assert is_public_key(text) == (is_key and len(point) == 65), "cryptography judges the key in another way"
    target = WebPushSubscription(
        id="i",
        user_id=UserId("7"),
        endpoint="https://fcm.googleapis.com/x",
        p256dh=text,
        auth="A" * 22,
        user_agent=None,
        created_at=0,
        last_seen_at=0,
    )
    if is_public_key(text):
        assert P256DH.fullmatch(text)
        assert _encrypt(target, b"x")


def _receipt(reading: Reading) -> None:
    """Nobody makes a receipt."""
    text = reading.rest().decode(errors="ignore")
    try:
        read_receipt(_KEY, text)
    except Forbidden:
        return
    raise AssertionError("a receipt was forged")


def _endpoint(reading: Reading) -> None:
    """An endpoint that is accepted leads, for the library that goes there, to a host of the list."""
    text = reading.rest().decode(errors="ignore")
    is_public(text)
    asked_s = retry_after_s(text)
    assert asked_s is None or 1.0 <= asked_s <= 3_600.0
    AUTH.fullmatch(text)
    try:
        _ENDPOINTS.check_url(text)
    except NotAllowed:
        return
    url = URL(text)
    if url.host == "127.0.0.1":
        assert url.port == 9999
        return
    assert url.scheme == "https"
    assert url.port == 443
    assert url.user is None
    assert url.host is not None
    assert any(url.host == host or url.host.endswith(f".{host}") for host in _HOSTS)


_WAYS = (_message, _keys, _receipt, _endpoint)


def run(data: bytes) -> None:
    """Take one of the ways."""
    reading = Reading(data)
    reading.pick(_WAYS)(reading)


def _point() -> bytes:
    numbers = _POINT.public_numbers()
    return b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


TARGET = Target(
    run=run,
    watched=[
        *("tocsin.domain.push", "tocsin.domain.web_push", "tocsin.domain.text"),
        *("tocsin.adapters.fcm.messages", "tocsin.adapters.web_push", "tocsin.adapters.push_endpoints"),
        "tocsin.adapters.retry_after",
    ],
    seeds=[
        b"\x00\x05Hello\x05World\x00\x03key\x01\x00\x05\x01\x01\x02" + b'{"a":1,"google.x":[1,2]}',
        b"\x00\x05Hello\x20"
        + "종소리 🔔👩‍👩‍👧 ".encode()[:32]
        + b"\xff\x00\x00\x00\x00\x03"
        + b'{"a":"%s"}' % (b"x" * 300),
        b"\x01" + to_base64url(_point()).encode(),
        b"\x02" + sign_receipt(b"other" * 7, "s", "n").encode(),
        b"\x03https://fcm.googleapis.com/fcm/send/abc",
        b"\x03https://web.push.apple.com:443/x?y=%20",
        b"\x03http://127.0.0.1:9999/x",
        b"\x03::ffff:10.0.0.1",
        b"\x03Wed, 21 Oct 2099 07:28:00 GMT",
    ],
    words=[
        *(
            b"https://",
            b"fcm.googleapis.com",
            b".push.apple.com",
            b":443/",
            b"@",
            b"%2e",
            b"\\",
            b"[::1]",
            b"64:ff9b::",
        ),
        *("🔔".encode(), "\u200d".encode(), "각".encode(), b'"collapse_key":', b'"from":', b"\\ud83d"),
    ],
)
