"""``tocsin export`` and ``tocsin erase``: what is kept of a user, given out whole, or erased."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from tocsin.adapters.sql.erasures import SqlErasures
from tocsin.adapters.sql.export import SqlExport
from tocsin.adapters.sql.store import SqlStore
from tocsin.application.export import Exports
from tocsin.cli.store import with_store
from tocsin.domain.erasure import Erasure
from tocsin.domain.user_id import UserId, parse_user_id

_LOOK_S = 1.0

User = Annotated[str, typer.Argument(help="The user id.")]


def export(
    user: User,
    out: Annotated[Path | None, typer.Option(help="A new file, readable by its owner alone; else stdout.")] = None,
) -> None:
    """
    Write everything that is kept of a user as JSON.

    Works with and without a running server.
    """
    user_id = parse_user_id(user)

    async def write(store: SqlStore, file: BinaryIO) -> None:
        async for chunk in Exports(SqlExport(store)).open(user_id):
            file.write(chunk)

    if out is None:
        with_store(lambda store: write(store, sys.stdout.buffer), reads_only=True)
        return
    with _new_file(out) as file:
        try:
            with_store(lambda store: write(store, file), reads_only=True)
        except BaseException:
            out.unlink(missing_ok=True)  # half of it would stand in the way of the next
            raise


def erase(
    user: User,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the last look two minutes later.")] = False,
) -> None:
    """
    Erase everything that is kept of a user.

    Works with and without a running server; one cuts the user's sockets. What was on its way when the rows went is
    erased by a last look, two minutes later, that a running server takes, or the same command once more.
    """
    user_id = parse_user_id(user)
    if not yes:
        typer.confirm(f"Erase everything of {user_id}? It can't be undone", abort=True)
    left = with_store(lambda store: _erase(store, user_id, wait=wait))
    if left is None:
        typer.echo("erased")
    else:
        typer.echo(f"{left.done} rows erased; the last look is two minutes from now: leave a server running or repeat")


async def _erase(store: SqlStore, user_id: UserId, *, wait: bool) -> Erasure | None:
    jobs = SqlErasures(store)
    await jobs.request(user_id)
    while True:
        job = await jobs.work(user_id, lambda _: None)
        if job is None or (job.state == "settling" and not wait):
            return job
        # A server is at it, or the last look is not due.
        await asyncio.sleep(_LOOK_S)


def _new_file(path: Path) -> BinaryIO:
    try:
        return open(path, "xb", opener=_private)
    except FileExistsError:
        raise typer.BadParameter("there is such a file already", param_hint="--out") from None
    except OSError as error:
        raise typer.BadParameter(f"{path} can't be made: {error.strerror}", param_hint="--out") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
