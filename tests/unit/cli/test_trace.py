"""What ``tocsin trace`` prints of texts that others have worded."""

from io import StringIO

from rich.console import Console

from tocsin.cli.trace import _show
from tocsin.domain.journey import Journey, Record, Step, Told
from tocsin.domain.stream import Head
from tocsin.domain.user_id import UserId

ESCAPE = "\x1b]0;pwned\x07\x9b31m"


def test_nobody_speaks_to_the_terminal():
    """A title, a category, a device's name and a provider's word are shown without their control characters."""
    payload = {"id": "n", "title": f"title{ESCAPE}", "category": f"category{ESCAPE}", "timestamp": "x"}
    record = Record(
        notification_id="n",
        user_id=UserId(f"alice{ESCAPE}"),
        notification=None,
        log=[Told(1, "notification", payload, 0)],
        head=Head(1, 0, 0),
        epoch="e",
        attempts=[],
        delivery=None,
    )
    step = Step(at=0, channel="fcm", kind="sent", text=f"text{ESCAPE}", label=f"label{ESCAPE}")
    journey = Journey(
        record=record,
        verdict=f"verdict{ESCAPE}",
        state="gone",
        acked=None,
        timeline=[step],
        unknown=[f"unknown{ESCAPE}"],
    )
    written = StringIO()
    _show(journey, Console(file=written, width=200, highlight=False))
    shown = written.getvalue()

    for word in ("title", "category", "alice", "text", "label", "verdict", "unknown"):
        assert f"{word}\N{REPLACEMENT CHARACTER}]0;pwned" in shown
    assert {"\n"} == {one for one in shown if not one.isprintable()}
