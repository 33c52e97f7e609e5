"""The command line of the proof."""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.prove.faults.registry import BY_NUMBER, FAULTS
from tocsin.cli.prove.outcome import Outcome
from tocsin.cli.prove.plan import QUICK, Plan
from tocsin.cli.prove.run import Proof
from tocsin.cli.prove.stack import CannotProve, Design


def prove(  # noqa: PLR0917 - they are options of a command line
    fault: Annotated[list[int] | None, typer.Option(help="Only this one; may be given again. All that apply.")] = None,
    cluster: Annotated[bool, typer.Option("--cluster", help="Nodes on a PostgreSQL and a Valkey of its own.")] = False,
    nodes: Annotated[int, typer.Option(min=1, max=16, help="Of the cluster.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="A small load, short faults.")] = False,
    posts: Annotated[int | None, typer.Option(min=1, help="Notifications to post.")] = None,
    producers: Annotated[int | None, typer.Option(min=1, max=64, help="Back ends posting at once.")] = None,
    clients: Annotated[int | None, typer.Option(min=1, max=1_000, help="Connected clients.")] = None,
    kills: Annotated[int | None, typer.Option(min=1, help="SIGKILLs under load.")] = None,
    seed: Annotated[int, typer.Option(help="Of the moments of the faults.")] = 0,
    journals: Annotated[Path | None, typer.Option(help="Keep the journals in this new folder.")] = None,
) -> None:
    """
    Break servers of its own under load; print what was lost, doubled, misordered.

    Starts its own servers on free ports with databases of their own. Ends with
    status 1 unless every count is 0, all clients caught up and each fault kept
    its own promises.
    """
    given = {"posts": posts, "producers": producers, "clients": clients, "kills": kills}
    base = QUICK if quick else Plan()
    plan = Plan(
        **{**{n: getattr(base, n) for n in base.__slots__}, **{n: v for n, v in given.items() if v}, "seed": seed}
    )
    design = Design(nodes=nodes, is_cluster=True) if cluster else Design()
    design.check()
    unknown = sorted(set(fault or ()) - set(BY_NUMBER))
    if unknown:
        raise CannotProve(f"there is no fault {unknown[0]}")
    outcomes = []
    for wanted in FAULTS:
        if fault and wanted.number not in fault:
            continue
        if obstacle := wanted.obstacle(design.has):
            typer.echo(f"fault {wanted.number}, {wanted.title}: does not apply: {obstacle}")
            continue
        with _folder(journals, wanted.number) as folder:
            outcome = asyncio.run(Proof(wanted, plan, design, folder, typer.echo).run())
        outcomes.append(outcome)
        typer.echo(report(outcome))
    raise typer.Exit(0 if all(outcome.is_kept for outcome in outcomes) else 1)


@contextlib.contextmanager
def _folder(journals: Path | None, number: int) -> Iterator[Path]:
    if journals is not None:
        folder = journals / f"fault-{number:02}"
        folder.mkdir(parents=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="tocsin-prove-") as name:
            yield Path(name)


def report(outcome: Outcome) -> str:
    """Return the outcome in a few lines for people."""
    verdict = outcome.verdict
    caught_up = "never" if outcome.caught_up_s is None else f"{outcome.caught_up_s:.1f} s after the end"
    lines = [
        f"fault {outcome.number}, {outcome.title}: {outcome.stack}",
        f"{verdict.acked} acknowledged, {outcome.rows} rows, {outcome.retries} posts repeated",
        f"{verdict.shown} events shown, {outcome.dropped} came again and were dropped, {outcome.gaps} gaps",
        f"{outcome.connects} sessions synced, {outcome.resyncs} resyncs, all caught up {caught_up}",
        f"{outcome.duration_s:.1f} s in all",
    ]
    for name, count in verdict.counts():
        lines.append(f"{name:<22} {count.number}")
        lines += [f"    {example}" for example in count.examples]
    lines += [f"{'ok' if c.is_met else 'NOT MET'}: {c.name}. {c.detail}" for c in outcome.checks]
    lines += outcome.failures
    return "\n".join(lines)
