"""
Which lines of which modules a call runs: what a corpus is judged by.

Python's own tracing, for a few modules: slow, and nothing to install.
"""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

Step = tuple[str, int, int]
"""File, the line before and the line: a branch taken is a step, too."""


class Tracer:
    """
    Follows calls through the code of some modules. Belongs to one thread.

    Args:
        modules: Whose lines count.
    """

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self._files = {str(module.__file__) for module in modules}
        self._steps: set[Step] = set()
        self._last: dict[FrameType, int] = {}

    def steps(self, call: Callable[[], object]) -> set[Step]:
        """Return the steps of one call."""
        self._steps = set()
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            call()
        finally:
            sys.settrace(before)
            self._last.clear()
        return self._steps

    @property
    def lines(self) -> int:
        """Return how many lines with code in a function there are."""
        return sum(len(_lines(compile(Path(name).read_text(), name, "exec"), False)) for name in self._files)

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:  # noqa: ARG002 the interpreter's signature
        if event != "call" or frame.f_code.co_filename not in self._files:
            return None
        self._last[frame] = 0
        return self._step

    def _step(self, frame: FrameType, event: str, arg: Any) -> Any:  # noqa: ARG002
        if event == "line":
            line = frame.f_lineno
            self._steps.add((frame.f_code.co_filename, self._last.get(frame, 0), line))
            self._last[frame] = line
        return self._step


def _lines(code: CodeType, is_function: bool) -> set[int]:
    """Return the lines inside of functions: a module's own ran when it was imported."""
    found: set[int] = set()
    if is_function:
        # The first is the `def`, which is no step of the function.
        found = {line for _, _, line in code.co_lines() if line is not None and line != code.co_firstlineno}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            is_class = "__qualname__" in constant.co_names and "__module__" in constant.co_names
            found |= _lines(constant, not is_class)
    return found


def least(steps: dict[bytes, set[Step]]) -> list[bytes]:
    """Return few and short inputs that together make every step of all."""
    kept: list[bytes] = []
    missing = set().union(*steps.values()) if steps else set()
    for data in sorted(steps, key=lambda one: (len(one), one)):
        if steps[data] & missing:
            missing -= steps[data]
            kept.append(data)
    return kept
