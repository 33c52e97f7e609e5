"""What may stand in a text that is stored and shown."""

from tocsin.domain.errors import Invalid


def check_text(field: str, text: str, most: int, *, least: int = 1) -> None:
    """
    Accept a text of ``least`` to ``most`` characters that every database can hold.

    Raises:
        Invalid: Other length, a NUL (PostgreSQL stores none) or a lone
            surrogate (UTF-8 has none).
    """
    if not least <= len(text) <= most:
        raise Invalid(f"{field} must have {least} to {most} characters")
    if "\0" in text:
        raise Invalid(f"{field} holds a NUL character")
    # Most text is stored as ASCII or Latin-1 inside Python and can't hold one.
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Invalid(f"{field} holds a lone surrogate") from None
