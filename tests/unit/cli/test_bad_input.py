"""What a command is given and can't use: refused by name, and nothing is left half done."""

import errno
import os
from pathlib import Path

import pytest
import typer

from tocsin.bootstrap import StartError
from tocsin.cli.demo import _secret, demo
from tocsin.cli.send import _json_object, _known_priority
from tocsin.cli.token import _seconds
from tocsin.cli.users import export
from tocsin.domain.errors import Invalid


@pytest.mark.parametrize("ttl", ["0", "0s", "000d", "-1", "", " ", "1.5h", "forever"])
def test_a_ttl_that_makes_no_valid_token_is_refused(ttl):
    """A token that has expired when it is made helps nobody."""
    with pytest.raises(typer.BadParameter, match="must be more than 0"):
        _seconds(ttl)


def test_a_priority_that_is_none_is_refused_with_those_that_are():
    """The message is the same with every release of Typer."""
    assert "urgent" == _known_priority("urgent")
    with pytest.raises(typer.BadParameter, match=r"^must be low, normal, high or urgent$"):
        _known_priority("x")


def test_an_integer_that_could_not_be_kept_is_refused():
    """As over REST; a text of its digits is fine."""
    assert {"n": "1" * 30} == _json_object('{"n": "%s"}' % ("1" * 30))
    with pytest.raises(Invalid, match="send it as a string"):
        _json_object('{"n": %s}' % ("1" * 30))


def test_an_export_to_where_no_file_can_be_is_refused(tmp_path):
    """It names the file and the reason."""
    with pytest.raises(typer.BadParameter, match=r"/none/ann\.json can't be made: No such file"):
        export("ann", tmp_path / "none" / "ann.json")


def test_a_secret_that_was_cut_off_is_made_anew(tmp_path):
    """A demo that was killed when it made its secret starts the next time."""
    path = tmp_path / "secret"
    path.touch()

    made = _secret(path)

    assert 32 <= len(made)
    assert made == _secret(path)
    assert 0o600 == path.stat().st_mode & 0o777
    assert [path] == [*tmp_path.iterdir()]


def test_a_folder_that_takes_no_secret_is_one_line(tmp_path, monkeypatch):
    """A full disk leaves no half of a secret, and is told with what helps."""

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(StartError, match=r"No space left on device; --state names another$"):
        demo(state=tmp_path)

    assert [] == [*tmp_path.iterdir()]
