"""Commands that are imported when they run are listed as they are."""

import inspect

import pytest
import typer
from typer.testing import CliRunner

from tocsin.cli import Commands, app


@pytest.mark.parametrize("name", Commands.COMMANDS)
def test_the_list_says_what_a_command_says_of_itself(name):
    """The summary is the beginning of the first line of its help."""
    command = typer.main.get_command(app).get_command(None, name)
    summary = Commands.COMMANDS[name].summary

    assert name == command.name
    assert inspect.cleandoc(command.help).startswith(summary.removesuffix("."))


def test_the_list_names_every_command():
    """In the order of the table."""
    listed = CliRunner().invoke(app, ["--help"], terminal_width=200).output

    assert [name for name in Commands.COMMANDS if f" {name} " not in listed] == []


def test_what_is_no_command_is_told():
    """And nothing is imported for it."""
    result = CliRunner().invoke(app, ["sevre"])

    assert 2 == result.exit_code
    assert "No such command" in result.output
