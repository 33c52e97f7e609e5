"""
Whether a database came into this process by a fork, still open.

SQLite keeps the locks of a file once for the whole process. A child inherits
that memory, but not the locks: what it opens then is protected by nothing, and
when the parent closes the file its log is deleted while the child still
commits to it (https://sqlite.org/howtocorrupt.html, 2.6). It is the host's own
connections that are met here, such as those that an application opened while
it was imported in the parent of prefork workers.
"""

import os
from contextlib import suppress
from pathlib import Path

from tocsin.domain.errors import Conflict

_inherited: set[tuple[int, int]] = set()


def refuse_inherited(path: str) -> None:
    """
    Check an open database, in use by this process already.

    Raises:
        Conflict: It was open before the fork and is still, so that the locks of this process don't count.
    """
    if not _inherited:
        return
    opened = Path(path).stat()
    if (opened.st_dev, opened.st_ino) in _inherited and not _has_lock(opened.st_ino):
        raise Conflict(
            "it was open when this process was forked, and what is written here could be lost: close the "
            "application's own connections before the fork, as with db.engine.dispose()"
        )


def _has_lock(inode: int) -> bool:
    # A lock that is only remembered does not stand there (proc(5): number, type, mode, access, pid, device:inode).
    pid = str(os.getpid())
    with suppress(OSError):
        for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
            fields = line.split()
            if len(fields) > 5 and fields[-4] == pid and fields[-3].rpartition(":")[2] == str(inode):
                return True
    return False


def _note_inherited() -> None:
    with suppress(OSError):
        for entry in Path("/dev/fd").iterdir():
            with suppress(OSError):
                found = os.fstat(int(entry.name))
                _inherited.add((found.st_dev, found.st_ino))


os.register_at_fork(after_in_child=_note_inherited)
