"""With which settings a process publishes."""

from types import SimpleNamespace

from tocsin import bridge
from tocsin.bootstrap import publish_with, settings_here
from tocsin.settings import Settings


class Halting:
    """An own bridge that another thread halts for a fork, right after its Core was looked at."""

    def __init__(self, settings):
        self._cores = [SimpleNamespace(settings=settings)]

    @property
    def core(self):
        return self._cores.pop() if self._cores else None


def test_a_fork_in_another_thread_does_not_take_the_settings_away(monkeypatch):
    """They are those of the Core that was there, or those that the next one gets."""
    settings = Settings(_env_file=None, database_url="sqlite:///here.db")
    monkeypatch.setattr(bridge, "find_own", lambda: halting)
    publish_with(settings)
    try:
        halting = Halting(settings)
        assert settings is settings_here()
        assert settings is settings_here()
    finally:
        publish_with(None)
