"""Fault 5: the disk of the database is full."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from tocsin.cli.prove.asking import Answers, Asker, asking, check_stored
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.scene import Scene
from tocsin.cli.prove.small_disk import SizeLimit, SmallDisk, may_mount, small_disk
from tocsin.cli.prove.stack import Stack

FULL_S = 60.0
RECOVER_S = 15.0
# Longer than what is spared, so that it can't pass by chance.
BIG = "x" * 4_000
_LOCATION = "tocsin_small"


class FullDisk(Fault):
    """
    No more room: writes are refused, nothing else, and go on once there is room.

    As root the disk is a tmpfs of its own; else the server's files may not grow.
    Of PostgreSQL it holds the tables; a write-ahead log without room ends
    PostgreSQL, which is fault 3.
    """

    number = 5
    title = "disk full"

    def __init__(self) -> None:
        self._disk: SmallDisk | None = None

    @classmethod
    def obstacle(cls, has: frozenset[str]) -> str | None:
        """Return why it does not apply, or None."""
        if "sqlite" in has or ("postgres" in has and may_mount()):
            return None
        return "it needs SQLite, or a PostgreSQL of its own (--cluster) and the right to mount a file system"

    @contextlib.asynccontextmanager
    async def arrange(self, stack: Stack) -> AsyncIterator[None]:
        """Put the database on a disk that can be filled."""
        with contextlib.ExitStack() as clearing:
            if may_mount():
                folder = (stack.folder if stack.postgres is None else stack.postgres.folder) / "disk"
                self._disk = clearing.enter_context(small_disk(folder.resolve()))
                if stack.postgres is None:
                    stack.database_url = f"sqlite:///{self._disk.path / 'prove.db'}"
                else:
                    await asyncio.to_thread(_move_tables, stack.postgres.url, self._disk.path)
            yield

    async def inject(self, scene: Scene) -> None:
        """Fill it under load, look, make room."""
        stack = scene.stack
        askers = [Asker(scene, node) for node in stack.nodes]
        await scene.more_acked(200)
        database = Path(stack.database_url.removeprefix("sqlite:///"))
        files = [database, database.with_name(f"{database.name}-wal")]
        disk = self._disk or SizeLimit([node.pid for node in stack.nodes], files)
        was = [client.connects for client in scene.load.clients]
        await asyncio.to_thread(disk.fill)
        scene.mark("the disk is all but full")
        try:
            await self._refused(scene, askers, was)
            if stack.postgres is None:
                said = await asyncio.to_thread(_integrity, database)
                scene.check("integrity_check of the full database", said == "ok", said)
        finally:
            await asyncio.to_thread(disk.make_room)
        scene.mark("there is room")
        took = await asyncio.gather(*(asker.answers(FULL_S) for asker in askers))
        longest = max(FULL_S if one is None else one for one in took)
        scene.check(f"writes again ≤ {RECOVER_S:.0f} s", longest <= RECOVER_S, f"{longest:.1f} s")
        await scene.more_acked(200)
        await check_stored(scene, askers, is_refusal_final=True)
        if stack.postgres is None:
            said = await asyncio.to_thread(_integrity, database)
            scene.check("integrity_check at the end", said == "ok", said)

    async def _refused(self, scene: Scene, askers: list[Asker], was: list[int]) -> None:
        """Ask until there is a 507, and then for a while."""
        posting = [partial(asker.post, BIG) for asker in askers]
        async with asking(*posting) as posted:
            full_s = await scene.until(lambda: all(answers.statuses[507] for answers in posted), FULL_S)
        if full_s is None:
            raise RuntimeError(f"the disk was not full after {FULL_S:.0f} s")
        scene.mark("a post was answered 507")
        async with asking(*posting, *(asker.read for asker in askers)) as found:
            await asyncio.sleep(max(scene.plan.hold_s / 4, 2.0))
        posts, reads = sum(found[: len(askers)], Answers()), sum(found[len(askers) :], Answers())
        # What is small enough for the last page may still be taken.
        refused = set(posts.statuses) <= {201, 503, 507} and posts.statuses[507] > 0
        scene.check("507 or 503 to writers while it was full", refused, str(posts))
        scene.check("readers noticed nothing", set(reads.statuses) == {200}, str(reads))
        now = [client.connects for client in scene.load.clients]
        scene.check("nobody was disconnected", now == was)


def _move_tables(url: str, folder: Path) -> None:
    """Let PostgreSQL make new tables on another disk."""
    import psycopg  # noqa: PLC0415 - of an extra

    place = folder / "tables"
    place.mkdir()
    # PostgreSQL does not run as root.
    shutil.chown(place, "nobody")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE {_LOCATION} LOCATION '{place}'")
        connection.execute(f"ALTER DATABASE postgres SET default_tablespace = {_LOCATION}")


def _integrity(database: Path) -> str:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
