"""The build hook of the wheel: when the browser part is built again."""

import os

import pytest
from hatch_build import is_built

OUTPUT_AT = 1_000_000_000


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose browser part was built after its sources were written."""
    for name in ("web/build.mjs", "web/src/client/client.ts", "web/demo/main.ts", "src/tocsin/static/js/websocket.js"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (OUTPUT_AT, OUTPUT_AT))
    return tmp_path


def test_an_output_younger_than_its_sources_is_kept(checkout):
    """A second wheel of the same checkout costs no second build."""
    assert is_built(checkout)


def test_without_output_it_is_built(checkout):
    """A fresh clone holds none."""
    (checkout / "src/tocsin/static/js/websocket.js").unlink()

    assert not is_built(checkout)


@pytest.mark.parametrize("name", ["web/build.mjs", "web/src/client/client.ts", "web/demo/main.ts"])
def test_a_source_that_changed_is_built_again(checkout, name):
    """`git pull` and `pip install .` bring the new browser part, too."""
    os.utime(checkout / name, (OUTPUT_AT + 1, OUTPUT_AT + 1))

    assert not is_built(checkout)
