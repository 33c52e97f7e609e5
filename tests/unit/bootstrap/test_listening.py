"""Where a server that is alone listens, and what it says where it can't."""

import pytest

from tocsin.bootstrap import StartError
from tocsin.bootstrap.listening import cant_listen, open_listener
from tocsin.settings import Settings


def test_several_workers_are_asked_for_where_they_are_looked_for():
    """A number of workers in a keyword or ``app.config`` reaches no supervisor, and the line says where it would."""
    settings = Settings(_env_file=None, workers=2, database_url="postgresql://a/b", redis_url="redis://a")

    with pytest.raises(StartError, match=r"TOCSIN_WORKERS in the environment or \.env") as refused:
        open_listener(settings)

    assert 2 == refused.value.exit_status


def test_a_port_that_is_kept_for_root_is_not_called_taken():
    """As 443 is, where the server ends TLS itself; a port that is taken is told as one."""
    settings = Settings(_env_file=None, port=443)

    assert "CAP_NET_BIND_SERVICE" in str(cant_listen(settings, PermissionError(13, "Permission denied")))
    assert "that is free" in str(cant_listen(settings, OSError(98, "Address already in use")))
