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
from dataclasses import dataclass
from pathlib import Path

_SNIPPET = re.compile(
    r"^<!-- snippet (?P<language>[a-z]+)\n(?P<hidden>.*?)^-->$"
    r"|(?:^[ ]*<!-- snippet (?P<mark>[a-z]+)(?:: (?P<value>[^\n]*?))? -->\n+)?"
    r"^(?P<indent>[ ]*)```(?P<fence>[a-z]+)\n(?P<shown>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_PLAIN = re.compile(r"^[ ]*```\n.*?^[ ]*```$", re.MULTILINE | re.DOTALL)
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
    # What stands in a fence without a language may look like anything.
    text = _PLAIN.sub(lambda found: "\n" * found[0].count("\n"), page.read_text(encoding="utf-8"))
    found = []
    for one in _SNIPPET.finditer(text):
        place = f"{page.relative_to(root)}:{text.count(chr(10), 0, one.start()) + 1}"
        if one["language"]:
            found.append(Snippet(place, one["language"], one["hidden"], is_hidden=True))
            continue
        code = re.sub(f"^{one['indent']}", "", one["shown"], flags=re.MULTILINE) if one["indent"] else one["shown"]
        found.append(Snippet(place, one["fence"], code, one["mark"] or "", one["value"] or ""))
    return found
