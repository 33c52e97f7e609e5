"""
The page of abuse, written from the answers of a running server: ``docs/reference/abuse.md``.

    python -m tests.abuse.page    writes it

``tests/acceptance/test_abuse.py`` holds the page to what the server answers.
"""

import asyncio
import tempfile
from pathlib import Path

from tests.abuse import rest_cases, socket_cases
from tests.abuse.case import CASES, Target, acked, connected
from tests.conftest import servers
from tests.wire.clients import OPENED

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "abuse.md"
MODULES = (rest_cases, socket_cases)
STRICT = {
    "limit_user_requests": "4 per hour",
    "limit_address_requests": "8 per hour",
    "limit_user_events": "2 per hour",
    "limit_user_connections": 2,
    "limit_address_connections": 2,
    "trusted_proxies": "127.0.0.1",
}

HEAD = """\
# What abuse is answered

<!-- Written by `python -m tests.abuse.page` from what a running server answers; a test compares. Do not edit. -->

Each row was tried on a running server over a real connection. After all of it another user's socket, open from the
first row on, still gets its answers, and the server's log has no error. Codes are those of
[problem objects](rest.md#refusals); numbers after "closes with" are WebSocket close codes. The figures are those that
hold when nobody sets any, but for the rows "more than … may", which were tried with smaller ones; time and slow
readers, of which a row tells the figures alone, are tried by `tests/wire/test_bounds.py`.
"""


async def answers(target: Target) -> list[tuple[str, str, str]]:
    """Return area, abuse and answer of each case; a bystander goes on meanwhile."""
    async with connected(target, "bystander", "/orders") as bystander:
        found = [(one.area, one.what, await one.act(target)) for one in CASES]
        assert "ack `ok`" == await acked(bystander, "ack", {"seq": 0}, namespace="/orders")
    while OPENED:
        OPENED.pop().writer.close()
    return found


def page(found: list[tuple[str, str, str]]) -> str:
    """Return the page."""
    parts = [HEAD]
    for area in dict.fromkeys(area for area, _, _ in found):
        rows = [f"| {what} | {answer} |\n" for of, what, answer in found if of == area]
        parts.append(f"\n## {area}\n\n| what is tried | the answer |\n|---|---|\n{''.join(rows)}")
    return "".join(parts)


def main() -> None:
    """Write the page."""
    with tempfile.TemporaryDirectory() as folder, servers(Path(folder)) as start:
        PAGE.write_text(page(asyncio.run(answers(Target(start(), start(**STRICT))))), encoding="utf-8")


if __name__ == "__main__":
    main()
