"""What a token's bearer may do."""

import pytest

from tocsin.domain.errors import Forbidden
from tocsin.domain.principal import Principal


def test_a_scope_that_is_held_passes():
    """A publisher may publish."""
    Principal("1", frozenset({"publish"}), 0.0).require("publish")


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"admin"}), frozenset({"publish "})])
def test_a_scope_that_is_not_held_is_refused(scopes):
    """No other scope stands in for it."""
    with pytest.raises(Forbidden, match="publish"):
        Principal("1", scopes, 0.0).require("publish")
