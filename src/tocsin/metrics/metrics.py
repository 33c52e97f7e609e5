"""The metrics of one service: read, gathered and shown."""

from pathlib import Path

from tocsin.metrics.exposition import expose, read_process
from tocsin.metrics.loop_delay import LoopDelay
from tocsin.metrics.reading import Readings, read
from tocsin.metrics.sources import Sources
from tocsin.metrics.workers import Workers


class Metrics:
    """
    The numbers of this process, and of its fellow workers. Belongs to the event loop's thread.

    Args:
        sources: What is read.

    Attributes:
        loop_delay: Samples the event loop.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._workers: Workers | None = None
        self.loop_delay = LoopDelay()

    async def start(self, seat: tuple[Path, int] | None = None) -> None:
        """
        Begin to sample.

        Args:
            seat: The folder where workers meet, and this worker's number; None: this process is alone.
        """
        self.loop_delay.start()
        if seat is not None:
            self._workers = Workers(*seat, self.read)
            await self._workers.start()

    async def stop(self) -> None:
        """Sample no more; what was counted stays."""
        self.loop_delay.stop()
        if self._workers is not None:
            await self._workers.stop()

    def read(self) -> Readings:
        """Return every metric of this process now; costs some milliseconds with very many connections."""
        return {**read(self._sources, self.loop_delay.seconds), **read_process()}

    async def read_all(self) -> dict[str, Readings]:
        """Return the same by worker; under the empty name for a process that is alone."""
        return {"": self.read()} if self._workers is None else await self._workers.read_all()

    async def expose(self, accept: str = "") -> tuple[bytes, str]:
        """Return the metrics of all workers as text for Prometheus, and the media type; see ``exposition.expose``."""
        return expose(await self.read_all(), accept)
