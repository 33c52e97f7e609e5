"""Commands that are imported when they run: help and small commands need not wait for a whole server.

What Click hands over is Any: Typer brings it along, or has its own, as its release wants.
"""

from importlib import import_module
from typing import Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Command(NamedTuple):
    """
    Where a command is.

    Attributes:
        home: ``module:name`` of its function, or of its Typer.
        summary: The first line of its help.
    """

    home: str
    summary: str


class LazyGroup(TyperGroup):
    """A group whose commands are named in ``COMMANDS``; the list of them is printed without any import."""

    COMMANDS: ClassVar[dict[str, Command]]
    _is_listing = False

    @property
    def commands(self) -> Any:
        """Return all, imported now: for who looks through them, as a generator of pages does."""
        return {name: load(command.home, name) for name, command in self.COMMANDS.items()}

    @commands.setter
    def commands(self, _: Any) -> None:
        """Leave them as they are: Typer sets those that were added to it, of which there are none."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 click's
        """Return the names."""
        return [*self.COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 click's
        """Return a command, imported now; for the list, what stands for it there."""
        if cmd_name not in self.COMMANDS:
            return None
        if self._is_listing:
            return TyperCommand(cmd_name, help=self.COMMANDS[cmd_name].summary)
        return load(self.COMMANDS[cmd_name].home, cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        self._is_listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._is_listing = False


def load(home: str, name: str) -> Any:
    """Import a command."""
    module, _, attribute = home.partition(":")
    found: Any = getattr(import_module(module), attribute)
    if isinstance(found, typer.Typer):
        return typer.main.get_group(found)
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(found)
    return typer.main.get_command(alone)
