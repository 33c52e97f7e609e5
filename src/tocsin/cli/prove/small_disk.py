"""A disk that is full when a fault says so: a small tmpfs as root, else a limit of the process's file sizes."""

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

SPARE_BYTES = 256 * 1024
ROOM_BYTES = 1024**3
TRIES = 5


class SmallDisk:
    """
    A file system of its own.

    Attributes:
        path: Where it is mounted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def fill(self) -> None:
        """Leave SPARE_BYTES free."""
        for attempt in range(TRIES):
            try:
                self._resize(shutil.disk_usage(self.path).used + SPARE_BYTES)
            except subprocess.CalledProcessError:
                # What was written since the look does not fit.
                if attempt == TRIES - 1:
                    raise
            else:
                return

    def make_room(self) -> None:
        """Let it be large."""
        self._resize(ROOM_BYTES)

    def _resize(self, size: int) -> None:
        _run("mount", "-o", f"remount,size={size}", str(self.path))


@contextlib.contextmanager
def small_disk(path: Path) -> Iterator[SmallDisk]:
    """Mount one on a new folder; needs root."""
    path.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={ROOM_BYTES},mode=0755", "tmpfs", str(path))
    try:
        yield SmallDisk(path)
    finally:
        _run("umount", "--lazy", str(path))
        path.rmdir()


class SizeLimit:
    """
    In place of a disk of one's own: a file of a process that would grow is refused (EFBIG).

    Args:
        pids: Of the processes.
        files: None of them may grow.
    """

    def __init__(self, pids: Sequence[int], files: Sequence[Path]) -> None:
        self._pids = pids
        self._files = files

    def fill(self) -> None:
        """Let no file grow beyond what the largest of them has, and a little."""
        self._limit(max(file.stat().st_size for file in self._files if file.exists()) + SPARE_BYTES)

    def make_room(self) -> None:
        """Let them grow."""
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        for pid in self._pids:
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size if hard < 0 else min(size, hard), hard))


def may_mount() -> bool:
    """Return whether file systems may be mounted here: some containers refuse it to root."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own words


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own words
