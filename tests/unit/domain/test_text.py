"""Texts that are stored and shown."""

import pytest

from tocsin.domain.errors import Invalid
from tocsin.domain.text import check_text


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
