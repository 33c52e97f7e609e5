"""The command line of the proof."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.faults.registry import BY_NUMBER, FAULTS
from tocsin.cli.prove.outcome import Outcome
from tocsin.cli.prove.plan import QUICK, Plan
from tocsin.cli.prove.plot import page
from tocsin.cli.prove.progress import Progress, progress
from tocsin.cli.prove.report import report
from tocsin.cli.prove.run import Proof
from tocsin.cli.prove.stack import CannotProve, Design
from tocsin.settings import Settings

# What a table needs where nobody says how wide the paper is.
PAPER_WIDTH = 140
Omitted = tuple[int, str, str]


def prove(  # noqa: PLR0917 - they are options of a command line
    fault: Annotated[list[int] | None, typer.Option(help="Only this one; may be repeated. Without: all.")] = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="Nodes on a PostgreSQL and a Valkey of its own.")] = False,
    settings: Annotated[
        bool, typer.Option("--settings", help="On TOCSIN_DATABASE_URL and TOCSIN_REDIS_URL. Rows stay there!")
    ] = False,
    nodes: Annotated[int | None, typer.Option(min=1, max=16, help="Servers; 2 but on SQLite.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small load and short faults.")] = False,
    posts: Annotated[int | None, typer.Option(min=1, help="Notifications to post at least.")] = None,
    producers: Annotated[int | None, typer.Option(min=1, max=64, help="Back ends posting at once.")] = None,
    clients: Annotated[int | None, typer.Option(min=1, max=1_000, help="Connected clients.")] = None,
    kills: Annotated[int | None, typer.Option(min=1, help="SIGKILLs of fault 1, repetitions of others.")] = None,
    resumes: Annotated[int | None, typer.Option(min=1, help="Of fault 12.")] = None,
    hold: Annotated[float | None, typer.Option(min=1, help="Seconds that stops and partitions last.")] = None,
    seed: Annotated[int, typer.Option(help="Of the moments of the faults.")] = 0,
    journals: Annotated[Path | None, typer.Option(help="Keep journals, logs and databases in this new folder.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a page with plots over time to this HTML file.")] = None,
) -> None:
    """
    Break servers of its own under load; print what was lost, doubled, misordered.

    Starts its own servers on free ports, with databases of their own. Ends with
    status 1 unless every count is 0, all clients caught up and every fault's
    own checks are met.
    """
    sizes: dict[str, Any] = {"posts": posts, "producers": producers, "clients": clients, "kills": kills}
    sizes |= {"resumes": resumes, "hold_s": hold, "seed": seed}
    plan = replace(QUICK if quick else Plan(), **{name: size for name, size in sizes.items() if size is not None})
    design = design_of(cluster=cluster, settings=settings, nodes=nodes)
    faults, omitted = select(fault, design)
    if journals is not None:
        journals.mkdir(parents=True)
    console = Console()
    if not console.is_terminal:
        console = Console(width=PAPER_WIDTH)
    began = datetime.now(UTC)
    outcomes = asyncio.run(_prove(faults, plan, design, journals, progress(console)))
    console.print(report(outcomes, omitted))
    if plot is not None:
        plot.write_text(page(outcomes, omitted, began), encoding="utf-8")
        console.print(f"Plot: {plot}", markup=False, highlight=False)
    raise typer.Exit(0 if outcomes and all(outcome.is_kept for outcome in outcomes) else 1)


def design_of(*, cluster: bool, settings: bool, nodes: int | None) -> Design:
    """Return the stack that the options name; CannotProve where they contradict one another."""
    if cluster and settings:
        raise CannotProve("--cluster starts a database of its own, --settings uses yours: give one of them")
    if not settings:
        design = Design(nodes=nodes or (2 if cluster else 1), is_cluster=cluster)
    else:
        given = Settings()
        redis = None if given.redis_url is None else given.redis_url.get_secret_value()
        url = given.database_url
        if is_file := url.startswith("sqlite:///"):
            # The nodes run in folders of their own.
            url = f"sqlite:///{Path(url.removeprefix('sqlite:///')).resolve()}"
        design = Design(nodes=nodes or (1 if is_file else 2), database_url=url, redis_url=redis)
    design.check()
    return design


def select(numbers: Sequence[int] | None, design: Design) -> tuple[list[type[Fault]], list[Omitted]]:
    """
    Return the faults to carry out, and number, title and reason of those that do not apply.

    Raises:
        CannotProve: There is no fault of a number.
    """
    for number in numbers or ():
        if number not in BY_NUMBER:
            raise CannotProve(f"there is no fault {number}; there are {', '.join(map(str, sorted(BY_NUMBER)))}")
    wanted = [fault for fault in FAULTS if not numbers or fault.number in numbers]
    omitted = [(fault.number, fault.title, reason) for fault in wanted if (reason := fault.obstacle(design.has))]
    return [fault for fault in wanted if fault.obstacle(design.has) is None], omitted


async def _prove(
    faults: Sequence[type[Fault]], plan: Plan, design: Design, journals: Path | None, shown: Progress
) -> list[Outcome]:
    outcomes = []
    for fault in faults:
        with _folder(journals, fault.number) as folder:
            proof = Proof(fault, plan, design, folder, shown.say)
            async with shown.running(proof):
                outcomes.append(await proof.run())
            shown.done(outcomes[-1])
    return outcomes


@contextlib.contextmanager
def _folder(journals: Path | None, number: int) -> Iterator[Path]:
    """Give a new folder for a fault; it stays only among journals that are kept."""
    if journals is None:
        with tempfile.TemporaryDirectory(prefix="tocsin-prove-") as name:
            yield Path(name)
    else:
        folder = journals / f"fault-{number:02}"
        folder.mkdir()
        yield folder
