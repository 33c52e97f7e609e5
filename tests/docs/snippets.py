"""
The code of a page, in its order, with what its comments say about it.

A comment of HTML directly above a fence marks it:

    <!-- snippet skip: why it can't run here -->
    <!-- snippet file: page.html -->            it is a file of the reader's folder
    <!-- snippet terminal: 2 -->                it is typed in another terminal
    <!-- snippet send: PUT /api/preferences --> a JSON body, sent with a token of user 7 that may publish

and one that holds code is run as if it stood there, for what a page need not show:

    <!-- snippet sh
    export TOCSIN_DATABASE_URL=sqlite:///tocsin.db
    -->

A first line such as ``# app.py`` or ``<!-- page.html -->`` names a file, too. A fence without a language is no code.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HIDDEN = re.compile(r"<!-- snippet ([a-z]+)$")
_MARK = re.compile(r" *<!-- snippet ([a-z]+)(?:: (.*?))? -->$")
_FENCE = re.compile(r"( *)```([a-z]*)$")
_FILE_NAME = re.compile(r"(?:# (\S+\.py)|<!-- (\S+\.html) -->)\n")


@dataclass(frozen=True, slots=True)
class Snippet:
    """
    A piece of code of a page.

    Attributes:
        place: ``page.md:line``.
        mark: What a comment says of it; empty: nothing.
        value: What stands behind the mark.
        is_hidden: It stands in a comment itself.
    """

    place: str
    language: str
    text: str
    mark: str = ""
    value: str = ""
    is_hidden: bool = False

    @property
    def file_name(self) -> str | None:
        """Return the file that it is, if it is one."""
        if self.mark == "file":
            return self.value
        found = _FILE_NAME.match(self.text)
        return None if found is None else found[1] or found[2]


def snippets_of(page: Path, root: Path) -> list[Snippet]:
    """Return the snippets of a page from top to bottom."""
    lines = iter(enumerate(page.read_text(encoding="utf-8").splitlines(keepends=True), 1))
    name = page.relative_to(root)
    found: list[Snippet] = []
    mark = None
    for number, line in lines:
        if (hidden := _HIDDEN.match(line)) is not None:
            found.append(Snippet(f"{name}:{number}", hidden[1], _until(lines, "-->"), is_hidden=True))
        elif (marked := _MARK.match(line)) is not None:
            mark = marked
            continue
        elif (fence := _FENCE.match(line)) is not None:
            text = _until(lines, f"{fence[1]}```")
            if fence[2]:
                code = "".join(one.removeprefix(fence[1]) for one in text.splitlines(keepends=True))
                said, value = ("", "") if mark is None else (mark[1], mark[2] or "")
                found.append(Snippet(f"{name}:{number}", fence[2], code, said, value))
                mark = None
        assert mark is None or not line.strip(), f"{name}:{number}: the mark above stands above no code"
    return found


def _until(lines: Iterator[tuple[int, str]], end: str) -> str:
    text = ""
    for _, line in lines:
        if line.rstrip() == end:
            return text
        text += line
    raise AssertionError(f"{end} is missing")
