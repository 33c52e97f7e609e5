"""One worker process, as its supervisor sees it."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from pathlib import Path
from typing import Self

from tocsin.rest.seat import BEAT_S, READY, Seat

_log = logging.getLogger(__name__)

READY_S = 60.0
# delivery.md gives a server 30 s to leave.
LEAVE_S = 30.0
# A minute: no turn of a loop that is only busy takes that long.
SILENT_BEATS = 12
_LAST_WORDS_S = 5.0


class Worker:
    """
    A running worker process.

    Attributes:
        number: Its own; no other has had it.
        place: Which listening socket is its own.
        is_leaving: It was told to; its end is no news.
    """

    def __init__(self, process: asyncio.subprocess.Process, number: int, place: int, line: socket.socket) -> None:
        self.number = number
        self.place = place
        self.is_leaving = False
        self.started_at = asyncio.get_running_loop().time()
        self._process = process
        self._line = line

    @classmethod
    async def start(cls, number: int, place: int, listeners: list[socket.socket], folder: Path) -> Self:
        """Start this very command again, as a worker."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            seat = Seat(number, place, listeners, folder, theirs)
            command = sys.orig_argv[1:]
            # Behind a `--` it would be an argument.
            end = command.index("--") if "--" in command else len(command)
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *command[:end],
                "--seat",
                str(seat),
                *command[end:],
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=seat.descriptors,
                # Ctrl-C is for the supervisor, which tells the workers.
                process_group=0,
            )
        return cls(process, number, place, ours)

    def __str__(self) -> str:
        return f"worker {self.number} (process {self._process.pid})"

    async def is_ready(self) -> bool:
        """Wait until it answers requests; False: it has ended first, or is silent for too long and killed."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(READY_S) as patience:
                while said := await loop.sock_recv(self._line, 4_096):
                    if READY in said:
                        return True
                    # It brings the database up to date.
                    patience.reschedule(loop.time() + READY_S)
                await self.ended()
        if self._process.returncode is None:
            _log.error(
                "%s said nothing for %d s at its start and is ended: look what the application waits for there",
                self,
                READY_S,
            )
        await self.kill()
        return False

    async def end_if_it_hangs(self) -> None:
        """End it when its event loop has not turned for a minute; it says where it was (``faulthandler``)."""
        silent = 0
        while silent < SILENT_BEATS:
            await asyncio.sleep(BEAT_S)
            # Counted, not timed: after a pause of the whole machine nobody has had the time to speak yet.
            silent = 0 if self.is_leaving or self._has_spoken() else silent + 1
        _log.error("%s hangs: its event loop has not turned for %d s; it is ended", self, SILENT_BEATS * BEAT_S)
        self._signal(signal.SIGABRT)
        await asyncio.sleep(_LAST_WORDS_S)
        self._signal(signal.SIGKILL)

    def _has_spoken(self) -> bool:
        with contextlib.suppress(OSError):
            return bool(self._line.recv(4_096))
        return False

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def tell(self, word: str) -> None:
        """Say something that ``Seat.follow`` knows; nothing is said to one that has ended."""
        with contextlib.suppress(OSError):
            self._line.send(f"{word}\n".encode())

    def leave(self) -> None:
        """Let the others accept, and drain."""
        self.is_leaving = True
        self.tell("leave")

    def stop(self) -> None:
        """Drain, or, when it drains already, stop at once."""
        self.is_leaving = True
        self._signal(signal.SIGTERM)

    async def kill(self) -> None:
        """End it, if it has not ended."""
        self.is_leaving = True
        self._signal(signal.SIGKILL)
        await self.ended()

    async def ended(self) -> int:
        """Wait for its end; return its exit status, below zero the signal that killed it."""
        status = await self._process.wait()
        self._line.close()
        return status

    async def ended_in_time(self) -> bool:
        """Wait for the end of one that leaves; False: it took too long and was killed."""
        try:
            async with asyncio.timeout(LEAVE_S):
                await self.ended()
        except TimeoutError:
            await self.kill()
            return False
        return True


def reason(status: int) -> str:
    """Return how a process has ended, for the log."""
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
