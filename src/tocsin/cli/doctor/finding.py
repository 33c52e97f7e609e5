"""What the doctor finds: a line each, with what to do about it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that was looked at. No secret is in it.

    Attributes:
        level: ``problem``: something does not work, or is not safe; ``warning``: it may not be what you want.
        area: What it is about, one word.
        text: What was found.
        advice: What to do; empty where all is well.
    """

    level: Level
    area: str
    text: str
    advice: str = ""

    def json(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


Findings = Iterator[Finding]


def ok(area: str, text: str) -> Finding:
    """Return that something is well."""
    return Finding("ok", area, text)


def warning(area: str, text: str, advice: str) -> Finding:
    """Return that something may not be what is wanted."""
    return Finding("warning", area, text, advice)


def problem(area: str, text: str, advice: str) -> Finding:
    """Return that something does not work, or is not safe."""
    return Finding("problem", area, text, advice)


def safely(area: str, look: Callable[[], Iterable[Finding]]) -> Findings:
    """Take a look; what breaks it is a problem itself and hides neither what was found before nor other looks."""
    try:
        yield from look()
    except Exception as error:  # noqa: BLE001 whatever it is
        # Not what it says, which may hold anything.
        yield problem(area, f"it can't be looked at: {type(error).__name__}", "tell the maintainers of tocsin")


def first_line(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
