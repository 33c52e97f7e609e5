"""JSON as clients send it: what follows RFC 8259, and halves of characters."""

import re
from typing import Any, Final

import orjson

# The escape of a surrogate without the other one of its pair.
_HALF: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def load_json(text: str) -> Any:
    """
    Return the value; half of a surrogate pair becomes U+FFFD, as in any decoder of UTF-8.

    A page that cuts a text inside an emoji sends such a half. A client repeats
    what it got no answer to: refusing the packet would close each connection anew.

    Raises:
        orjson.JSONDecodeError: It is no JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # Without escaped backslashes, each backslash begins an escape.
        return orjson.loads(_HALF.sub(r"\\ufffd", text.replace(r"\\", r"\u005c")))
