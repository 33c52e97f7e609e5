"""Texts that are stored and shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.errors import Invalid
from tocsin.domain.text import check_text, cut, on_one_line, storable


@pytest.mark.parametrize("text", ["a", "안녕 🎉", "<b>bold</b>", "two\nlines", "a" * 20])
def test_any_text_of_a_fitting_length_passes(text):
    """Length counts characters; what a text says is nobody's business here."""
    check_text("title", text, 20)


@pytest.mark.parametrize("text", ["", "a" * 21, "🎉" * 21, "nul\0", "half \ud83c", "\udc00한글"])
def test_what_a_database_cannot_hold_is_refused(text):
    """The refusal names the field."""
    with pytest.raises(Invalid, match="title"):
        check_text("title", text, 20)


def test_an_empty_text_passes_where_it_may():
    """``least`` 0 lets it through."""
    check_text("message", "", 20, least=0)


FAMILY = "👨‍👩‍👧"


@pytest.mark.parametrize("text", ["", "a", "a" * 10, "🎉" * 10])
def test_what_fits_is_not_cut(text):
    """A text of at most that many characters stays as it is."""
    assert text == cut(text, 10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 11, "a" * 9 + "…"),
        ("12345678 and more", "12345678…"),
        ("1234567 90 and more", "1234567 9…"),
        ("1234567e\u0301\u0301\u0301 more", "1234567…"),
        ("12345678🎉️ more", "12345678…"),
        ("12345678👍🏽 more", "12345678…"),
        (f"123456{FAMILY} more", "123456…"),
        ("12345678🇰🇷 more", "12345678…"),
        ("1234567🇰🇷🇯🇵", "1234567🇰🇷…"),
        ("12345678\u1112\u1161\u11ab\u1100\u1173\u11af", "12345678…"),
        ("1234567क्षक्ष", "1234567…"),
        ("가나다라마바사아자차카", "가나다라마바사아자…"),
    ],
)
def test_a_cut_is_between_what_readers_see_as_characters(text, expected):
    """Letters keep their marks, emoji and flags stay whole; an ellipsis ends what was cut."""
    assert expected == cut(text, 10)


def test_a_heap_of_marks_is_cut_somewhere():
    """A letter with more marks than writing knows does not swallow the text before it."""
    assert 100 == len(cut("a" + "\u0301" * 500, 100))


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_cut_text_fits_and_is_a_beginning(text, most):
    """Whatever the text, the result fits and begins as it does."""
    short = cut(text, most)

    assert len(short) <= most
    assert short == text or text.startswith(short.removesuffix("…"))


def test_a_text_on_one_line_keeps_to_itself():
    """Line ends are spaces; what would turn the sentence around it or break a database is gone."""
    assert "Mina 민아 \ufffd!" == on_one_line("  Mina\r\n\t\u202e민아\u2066 \ud83c!\n")


@given(st.text(st.characters(codec=None) | st.sampled_from("\0\ud800\udfff\u202e\u2069 \t\n\x1fa"), max_size=20))
def test_only_what_cannot_stand_there_is_changed(text):
    """Whichever way a text goes through, plain or not, it comes out the same."""
    kept = "".join("\ufffd" if one == "\0" or "\ud800" <= one <= "\udfff" else one for one in text)
    turning = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

    assert kept == storable(text)
    assert " ".join("".join(one for one in kept if one not in turning).split()) == on_one_line(text)
