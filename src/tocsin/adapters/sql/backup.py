"""A copy of a SQLite file, of one instant, while a server writes to it."""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

_BUSY_TIMEOUT_S = 30.0


class BackupFailed(Exception):
    """There is no copy; the message is one line that says why."""

    exit_status = 1


def back_up(source: Path, copy: Path) -> int:
    """
    Write a copy that holds what was committed at one instant, and return its size in bytes.

    Writers are not held up. The copy is one file, whole and on disk when this returns, readable by its owner
    alone; until then it has another name.

    Raises:
        BackupFailed: There is no such source, there is something at the place of the copy, the disk is full, or
            the copy is found damaged.
    """
    try:
        if not source.is_file():
            raise BackupFailed(f"there is no database {source}")
        if copy.exists():
            raise BackupFailed(f"{copy} is there already")
    except OSError as error:
        raise BackupFailed(f"{error.filename} can't be seen: {error.strerror}") from error
    part = copy.with_name(f"{copy.name}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise BackupFailed(f"another backup is at it, or one was killed: then remove {part}") from None
    except OSError as error:
        raise BackupFailed(f"{part} can't be made: {error.strerror}") from error
    try:
        _copy(source, part)
        _to_disk(part)
        _name(part, copy)
        _to_disk(copy.parent)
        return copy.stat().st_size
    except (sqlite3.Error, OSError) as error:
        raise BackupFailed(f"the backup failed: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _copy(source: Path, part: Path) -> None:
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT_S)) as reader,
        closing(sqlite3.connect(part)) as writer,
    ):
        # In one step: in several, each commit of a server would begin it anew.
        reader.backup(writer, pages=-1)
        # One file instead of two; the server sets WAL again.
        writer.execute("PRAGMA journal_mode = DELETE")
        said = writer.execute("PRAGMA quick_check(1)").fetchone()[0]
    if said != "ok":
        raise BackupFailed(f"{source} is damaged, and so would be the copy: {said}")


def _name(part: Path, copy: Path) -> None:
    try:
        os.link(part, copy)  # fails where somebody was faster
    except OSError as error:
        # A stick or a share of a network knows no links.
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP) or copy.exists():
            raise
        part.rename(copy)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
