"""What a target is, and the list of them."""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """
    Code that reads bytes of strangers, and what has to hold of it.

    Attributes:
        run: Takes any bytes; raises only where something is wrong.
        watched: Names of the modules whose coverage leads the fuzzer.
        seeds: Inputs to begin with.
        words: What stands in good inputs, for the fuzzer to put in.
        max_length: Bytes of the longest input.
        close: Ends what ``run`` has started on first use.
    """

    run: Callable[[bytes], None]
    watched: Sequence[str]
    seeds: Sequence[bytes]
    words: Sequence[bytes] = ()
    max_length: int = 1_024
    close: Callable[[], None] = lambda: None

    def modules(self) -> list[ModuleType]:
        """Return the watched modules."""
        return [importlib.import_module(name) for name in self.watched]


NAMES = (
    *("frames", "packets", "payload", "upgrade", "session"),
    *("token", "envelope", "rest", "push", "words"),
)
"""Of all targets: the modules in ``targets``."""


def load(name: str) -> Target:
    """
    Return a target by its name.

    Raises:
        ModuleNotFoundError: There is none.
    """
    target: Target = importlib.import_module(f"fuzz.targets.{name}").TARGET
    return target
