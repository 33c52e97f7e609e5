"""Small languages that people write: ladders, preferences, rates, cursors, templates, user ids."""

from typing import Any

import orjson

from fuzz.reading import Reading
from fuzz.target import Target
from tocsin.domain.errors import Invalid
from tocsin.domain.ladder import MAX_AFTER_S, Ladders
from tocsin.domain.notification import MAX_MESSAGE, MAX_TITLE
from tocsin.domain.preference import Preferences
from tocsin.domain.rate import parse_rate
from tocsin.domain.template import Template, check_template, render
from tocsin.domain.user_id import parse_user_id, user_id_json
from tocsin.realtime.resume import parse_cursor
from tocsin.rest.notifications import _cursor, _seq_of

_NOWS = (0, 1_700_000_000_000, 4_102_444_800_000)
_VALUES = {"a": 1, "b": "text", "c": [1, "x", None], "d": {"e": "f"}, "g": "long " * 60, "n": 2**60, "o": -0.5}


def _ladder(text: str) -> None:
    ladders = Ladders(text)
    for category in (None, "billing", text[:10]):
        for priority in ("urgent", "high", "normal", "low"):
            times = [rung.after_s for rung in ladders.of(category, priority)]
            assert times == sorted(times)
            assert all(0 <= time <= MAX_AFTER_S for time in times)


def _preferences(text: str) -> None:
    body = _json(text)
    if not isinstance(body, dict):
        return
    told = Preferences.read(body)
    again = Preferences.read(orjson.loads(orjson.dumps(told.json())))
    assert again.json() == told.json()
    whole = told.over(Preferences.read({"quiet_hours": {"from": "22:00", "until": "07:00"}, "digest_hour": 8}))
    for now in _NOWS:
        until = whole.quiet_until_after(now)
        assert until is None or until > now
        for category in (None, "c"):
            at = whole.digest_at(category, now)
            assert at is None or now < at <= now + 27 * 3_600_000
            whole.allows(category, "fcm")


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _rate(text: str) -> None:
    rate = parse_rate(text)
    assert rate.count > 0
    assert rate.period_s > 0


def _user(text: str) -> None:
    user_id = parse_user_id(_json(text))
    assert parse_user_id(orjson.loads(orjson.dumps(user_id_json(user_id)))) == user_id


def _auth(text: str) -> None:
    auth = _json(text)
    cursor = parse_cursor(auth if isinstance(auth, dict) else {"epoch": text, "last_seq": auth})
    assert cursor is None or 0 <= cursor.last_seq < 2**53


def _page(text: str) -> None:
    assert _cursor(_seq_of(text)) == text


def _template(text: str) -> None:
    title, _, message = text.partition("\n")
    template = Template(name="t", locale="en", title=title, message=message)
    check_template(template)
    words = render(template, _VALUES)
    assert words is None or (len(words[0]) <= MAX_TITLE and len(words[1]) <= MAX_MESSAGE)


_WAYS = (_ladder, _preferences, _rate, _user, _auth, _page, _template)


def run(data: bytes) -> None:
    """Read one of the languages; what is refused is refused as Invalid."""
    reading = Reading(data)
    way = reading.pick(_WAYS)
    try:
        # JSON of requests has no lone surrogates and settings are text: valid UTF-8, both.
        way(reading.rest().decode(errors="ignore"))
    except Invalid as invalid:
        assert invalid.detail


TARGET = Target(
    run=run,
    watched=[
        *("tocsin.domain.ladder", "tocsin.domain.preference", "tocsin.domain.quiet_hours", "tocsin.domain.rate"),
        *("tocsin.domain.template", "tocsin.domain.user_id", "tocsin.realtime.resume", "tocsin.rest.notifications"),
    ],
    seeds=[
        b"\x00urgent: push 0s, channels 1m; billing/high: fcm 5s, webpush 5m; low: none",
        b'\x01{"categories":{"*":{"toast":false,"sound":false},"c":{"digest":"daily","fcm":true,"sound":"bell"}},'
        b'"quiet_hours":{"from":"22:00","until":"07:00","time_zone":"Asia/Seoul"},"mute_until":"2026-11-23T01:15:00Z",'
        b'"digest_hour":9,"time_zone":"Europe/Berlin","locale":"ko"}',
        *(b"\x0210 per minute", b"\x025/second", b"\x021000 per 2 hours", b"\x03456", b'\x03"456"', b"\x03-0"),
        *(b'\x04{"epoch":"e","last_seq":7}', b"\x05AAAAAAAAAAE", b"\x05f_________8"),
        b"\x06{{ a }} {{ c | join }}\n{% if b == 'x' and d.e is defined %}{{ g | truncate(9) }}{% else %}-{% endif %}",
        b"\x06{{ n + 1 }}\n{{ b ~ g[0] }}{{ o | round(2) | abs }}",
    ],
    words=[
        *(b"push 30s", b"channels 5m", b"; ", b": none", b"high", b'"quiet_hours":', b'"time_zone":', b'"mute_until":'),
        *(
            b"{{ ",
            b" }}",
            b"{% if ",
            b"{% endif %}",
            b" | ",
            b"join",
            b"truncate",
            b"default",
            b"__class__",
            b"9999-12-31",
        ),
        *(b"0001-01-01T00:00:00+23:59", b" per ", b"/second", b"\xd9\xa3", b"1e5", b"true"),
    ],
    max_length=512,
)
