"""What pydantic found wrong with something from outside, in the words of JSON."""

from itertools import filterfalse

from pydantic import ValidationError

_WORDS = {
    "missing": "is required",
    "extra_forbidden": "there is no such field",
    "model_type": "must be an object",
    "dict_type": "must be an object",
}
_TYPES = frozenset({"int", "str", "constrained-int", "constrained-str"})
_MAX_FIELD = 64


def findings(error: ValidationError) -> list[str]:
    """
    Return a text for each field that is wrong, in order: its name and what it must be.

    Values are not repeated, and names, which may be a stranger's, not beyond 64 characters.
    """
    wrong: dict[str, list[str]] = {}
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        # A union says for each of its types why it is not that one.
        name = ".".join(str(part) for part in (*one["loc"][:1], *filterfalse(_TYPES.__contains__, one["loc"][1:])))
        text = one["msg"].removeprefix("Value error, ").replace("Input should", "must")
        wrong.setdefault(name[:_MAX_FIELD] or "body", []).append(_WORDS.get(one["type"], text))
    return [f"{name}: {' or '.join(dict.fromkeys(texts))}" for name, texts in wrong.items()]
