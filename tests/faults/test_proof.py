"""What the harness itself promises: what is left out is told, and nothing that goes wrong is overlooked."""

import asyncio
import re
from datetime import UTC, datetime
from importlib import import_module
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tocsin.cli import app
from tocsin.cli.prove.checker import Verdict
from tocsin.cli.prove.command import design_of, select
from tocsin.cli.prove.faults.fault import Fault
from tocsin.cli.prove.faults.registry import FAULTS
from tocsin.cli.prove.outcome import Check, Outcome
from tocsin.cli.prove.plan import Plan
from tocsin.cli.prove.plot import page
from tocsin.cli.prove.progress import progress
from tocsin.cli.prove.report import report
from tocsin.cli.prove.run import Proof
from tocsin.cli.prove.stack import CannotProve, Design
from tocsin.cli.prove.timeline import Timeline

SMALL = {"posts": 20, "producers": 2, "clients": 2}


def outcome(**changes):
    usual = {
        "number": 1,
        "title": "a <fault>",
        "stack": "1 node",
        "verdict": Verdict(acked=1_234),
        "kills": 0,
        "retries": 0,
        "connects": 0,
        "dropped": 0,
        "resyncs": 0,
        "gaps": 0,
        "rows": 1_234,
        "duration_s": 3.0,
        "caught_up_s": 0.5,
        "catch_up_limit_s": 15.0,
        "timeline": Timeline(),
    }
    return Outcome(**(usual | changes))


def written(*outcomes, omitted=()):
    paper = StringIO()
    Console(file=paper, width=140).print(report(outcomes, list(omitted)))
    return paper.getvalue()


def lost():
    verdict = Verdict(acked=1_234)
    verdict.lost.add("client 7 never showed p0-3")
    return verdict


BROKEN = {
    "a count": {"verdict": lost()},
    "a check": {"checks": [Check("503 meanwhile", False, "was 500")]},
    "a client that gave up": {"failures": ["client 3 gave up: ProtocolError('41')"]},
    "nobody caught up": {"caught_up_s": None},
    "a row too many": {"rows": 1_235},
    "rows unknown": {"rows": None},
}


def test_an_outcome_is_kept_when_nothing_is_wrong():
    """Counts of 0, checks that are met and everybody at the end: that is all it takes."""
    assert outcome(checks=[Check("503 meanwhile", True)]).is_kept
    assert "The promise was kept" in written(outcome())


@pytest.mark.parametrize("what", BROKEN)
def test_whatever_is_wrong_breaks_the_outcome_and_is_told_in_table_and_plot(what):
    """Each thing that can be wrong makes the whole a failure, with its words below the table and on the page."""
    broken = outcome(**BROKEN[what])

    assert not broken.is_kept
    told = written(broken)
    assert "The promise was broken by fault 1" in told
    assert re.search(r"fault 1: .*(never showed|was 500|ProtocolError|caught up after|1235|could not be)", told)
    assert "the promise was broken" in page([broken], [], datetime.now(UTC))


def test_faults_are_selected_by_number_and_what_does_not_apply_is_told_with_its_reason():
    """Nothing is left out silently."""
    run, omitted = select([1, 10], Design())

    assert [1] == [fault.number for fault in run]
    assert [(10, "it needs more than one node (--cluster)")] == [(number, reason) for number, _, reason in omitted]
    everything = select(None, Design(nodes=2, is_cluster=True))
    assert len(FAULTS) == len(everything[0]) + len(everything[1])
    assert "10, one user on two nodes, concurrent writers: does not apply: it needs more than one" in written(
        omitted=omitted
    )


def test_each_fault_has_a_number_of_its_own_in_the_order_of_the_contract():
    """The registry lists what the delivery contract numbers."""
    numbers = [fault.number for fault in FAULTS]

    assert sorted(set(numbers)) == numbers


@pytest.mark.parametrize(
    ("design", "why"),
    [(Design(nodes=2), "--cluster"), (Design(nodes=2, database_url="sqlite:////tmp/x.db"), "--cluster")],
)
def test_a_stack_that_cannot_be_had_is_refused_in_a_line(design, why):
    """SQLite is for one node."""
    with pytest.raises(CannotProve, match=why):
        design.check()


def test_a_cluster_without_its_wheels_names_what_mends_it(monkeypatch):
    """One line, with the command to type."""
    monkeypatch.setattr(import_module("tocsin.cli.prove.stack"), "find_spec", lambda _: None)

    with pytest.raises(CannotProve, match=r"pip install 'tocsin\[prove\]'"):
        Design(nodes=2, is_cluster=True).check()


def test_settings_name_the_database_and_the_bus(monkeypatch, tmp_path):
    """They are used only where that is asked for, and nobody ends what is not the proof's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_DATABASE_URL", "postgresql://there/db")
    monkeypatch.setenv("TOCSIN_REDIS_URL", "redis://there")

    assert Design(1) == design_of(cluster=False, settings=False, nodes=None)
    assert Design(2, is_cluster=True) == design_of(cluster=True, settings=False, nodes=None)
    given = design_of(cluster=False, settings=True, nodes=None)
    assert Design(2, database_url="postgresql://there/db", redis_url="redis://there") == given
    assert {"nodes"} == given.has & {"nodes", "postgres", "valkey", "sqlite"}
    monkeypatch.setenv("TOCSIN_DATABASE_URL", "sqlite:///here.db")
    here = design_of(cluster=False, settings=True, nodes=None)
    assert (1, f"sqlite:///{tmp_path / 'here.db'}") == (here.nodes, here.database_url)
    with pytest.raises(CannotProve, match="one of them"):
        design_of(cluster=True, settings=True, nodes=None)


def test_the_page_shows_lines_marks_and_text_as_text():
    """Both lines have a point a step, each moment its stroke, and no word of a fault is markup."""
    timeline = Timeline()
    timeline.deliveries.update({0: 100, 4: 50})
    timeline.acks.update({0: 10})
    timeline.marks.append((1.5, "<b>cut</b>"))
    text = page([outcome(timeline=timeline)], [(3, "three", "it needs <root>")], datetime(2026, 1, 2, tzinfo=UTC))

    assert 2 == text.count("<polyline")
    assert 12 == len(re.findall(r'<polyline class="deliveries" points="([^"]*)"', text)[0].split())
    assert 1 == text.count('<line class="mark"')
    assert "a &lt;fault&gt;" in text
    assert "&lt;b&gt;cut" in text
    assert "it needs &lt;root&gt;" in text
    assert not re.search(r"<fault>|<b>|<root>|<script|https?://", text)


class Quiet(Fault):
    """Nothing happens."""

    number = 1
    title = "nothing"

    async def inject(self, scene):
        await scene.acked_reach(5)


class Breaks(Quiet):
    """The fault can't be carried out."""

    async def inject(self, scene):
        await scene.acked_reach(5)
        raise RuntimeError("no such disk")


class Unmet(Quiet):
    """A promise of its own is not kept."""

    async def inject(self, scene):
        scene.check("503 meanwhile", False, "was 500")


class Strange(Quiet):
    """A client is told what no server of ours says."""

    async def inject(self, scene):
        client = scene.load.clients[0]
        client.epoch, client._token = None, "no token"
        client.cut()
        await asyncio.Event().wait()


async def test_a_database_that_has_rows_already_is_no_hindrance(prove, postgres_url, redis_url):
    """Each run has users of its own: what another left behind is not counted."""
    design = Design(nodes=1, database_url=postgres_url, redis_url=redis_url)

    assert [True, True] == [(await prove(Quiet, design, **SMALL)).is_kept for _ in range(2)]


async def test_a_fault_that_cannot_be_carried_out_fails_the_run(prove):
    """Its reason is told, and what the journals say is judged all the same."""
    outcome = await prove(Breaks, **SMALL)

    assert not outcome.is_kept
    assert ["broken off: RuntimeError('no such disk')"] == outcome.failures


async def test_a_client_that_ends_by_itself_fails_the_run(prove):
    """The fault is broken off, whatever it waits for, and the reason is told."""
    outcome = await prove(Strange, **SMALL)

    assert not outcome.is_kept
    assert any("client 0" in failure and "gave up" in failure for failure in outcome.failures)


async def test_a_terminal_shows_the_running_fault_and_the_results_of_those_before(tmp_path):
    """The table moves: what is done, what is running with its numbers, and the last lines."""
    paper = StringIO()
    screen = progress(Console(file=paper, force_terminal=True, width=120))
    screen.done(outcome(title="the one before"))
    async with screen.running(Proof(Quiet, Plan(), Design(), tmp_path)):
        screen.say("kill -9 no. 1")
        await asyncio.sleep(0)

    told = paper.getvalue()
    assert "kept: 1,234 acknowledged, 0 · 0 · 0 · 0, caught up: 0.5 s" in told
    assert re.search(r"nothing .*0 acknowledged, 0 deliveries/s", told)
    assert "kill -9 no. 1" in told


@pytest.mark.parametrize(("fault", "status"), [(Quiet, 0), (Unmet, 1)])
def test_the_command_ends_with_1_when_a_check_is_not_met(fault, status, monkeypatch, tmp_path):
    """The table is printed, journals and plot are kept, and the status tells the result."""
    # By its module: in the package the name is the command's.
    monkeypatch.setattr(import_module("tocsin.cli.prove.command"), "FAULTS", (fault,))
    options = ["--posts", "20", "--clients", "2", "--producers", "2"]
    plot, journals = tmp_path / "plot.html", tmp_path / "journals"
    result = CliRunner().invoke(app, ["prove", *options, "--plot", str(plot), "--journals", str(journals)])

    assert status == result.exit_code, result.output
    assert "fault 1, nothing" in result.output
    assert "own checks" in result.output
    assert (journals / "fault-01" / "producer-p0.jsonl").stat().st_size > 0
    assert "<svg" in plot.read_text()
