"""JSON as clients send it."""

import json
import re

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.engine.json_text import load_json
from tocsin.engine.packets import decode_packet

PIECES = ["\\\\", "\\n", '\\"', "\\ud83d", "\\uDE14", "\\uD801", "\\udFFF", "\\u0041", "x", "é"]


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_halves_of_characters_are_replaced(escaped):
    """Every half is one U+FFFD, and nothing else changes: pairs, other escapes and escaped backslashes stay."""
    text = f'["{escaped}"]'

    assert [re.sub("[\ud800-\udfff]", "\ufffd", json.loads(text)[0])] == load_json(text)


@pytest.mark.parametrize("text", [r'["\ud800]', r'["\ud80"]', r'["\UD800"]', r'["\ud800", NaN]', r'["\ud800"'])
def test_what_is_no_json_with_its_halves_replaced_is_refused(text):
    """A half excuses nothing else."""
    with pytest.raises(orjson.JSONDecodeError):
        load_json(text)


def test_half_an_emoji_is_no_reason_to_close_the_connection():
    """A packet with one is decoded."""
    assert ["send_message", {"message": "Hi \ufffd"}] == decode_packet(
        r'2["send_message",{"message":"Hi \ud83d"}]'
    ).data
