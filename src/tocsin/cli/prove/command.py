"""The command line of the proof and the report it prints."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.prove.run import Outcome, Plan, Proof


def prove(  # noqa: PLR0917 - they are options of a command line
    kills: Annotated[int, typer.Option(min=0, help="SIGKILLs under load.")] = 20,
    posts: Annotated[int, typer.Option(min=1, help="Notifications to post.")] = 20_000,
    producers: Annotated[int, typer.Option(min=1, max=64, help="Back ends posting at once.")] = 8,
    clients: Annotated[int, typer.Option(min=1, max=1_000, help="Connected clients.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the moments of the kills.")] = 0,
    journals: Annotated[Path | None, typer.Option(help="Keep the journals in this new folder.")] = None,
) -> None:
    """
    Kill a server of its own under load; print what was lost, doubled, misordered.

    Starts its own server on a free port with its own database. Ends with
    status 1 unless every count is 0 and all clients caught up.
    """
    plan = Plan(kills=kills, posts=posts, producers=producers, clients=clients, seed=seed)
    if journals is None:
        with tempfile.TemporaryDirectory(prefix="tocsin-prove-") as folder:
            outcome = asyncio.run(Proof(plan, Path(folder), typer.echo).run())
    else:
        journals.mkdir(parents=True)
        outcome = asyncio.run(Proof(plan, journals, typer.echo).run())
    typer.echo(report(plan, outcome))
    raise typer.Exit(0 if outcome.is_kept else 1)


def report(plan: Plan, outcome: Outcome) -> str:
    """Return the outcome in a few lines for people."""
    verdict = outcome.verdict
    caught_up = "never" if outcome.caught_up_s is None else f"{outcome.caught_up_s:.1f} s after the last restart"
    lines = [
        f"{plan.posts} posts by {plan.producers} producers to {plan.clients} clients, {outcome.kills} times kill -9",
        f"{verdict.acked} acknowledged, {outcome.rows} rows, {outcome.retries} posts repeated",
        f"{verdict.shown} events shown, {outcome.dropped} came again and were dropped",
        f"{outcome.connects} sessions synced, {outcome.resyncs} resyncs, all caught up {caught_up}",
        f"{outcome.duration_s:.1f} s in all",
        "",
    ]
    for name, count in verdict.counts():
        lines.append(f"{name:<22} {count.number}")
        lines += [f"    {example}" for example in count.examples]
    return "\n".join(lines)
