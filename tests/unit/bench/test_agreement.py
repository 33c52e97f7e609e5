"""Two runs beside each other: what another day has found again."""

import json

from bench.agreement import nearest, pairs, sentence
from bench.report import Results, as_json
from bench.rounds import Measured, Plan
from bench.servers import PEERS


def run(date, plan=None, cpu="Z80", **rounds):
    """Return a run as JSON: broadcasts a second of each round, by peer."""
    results = Results(plan or Plan(rounds=2))
    for peer in PEERS:
        for rate in rounds.get(peer.key, ()):
            measured = Measured()
            measured.values["broadcast"] = float(rate)
            results.add(peer, measured)
    return json.loads(as_json(results)) | {"date": date, "machine": {"cpu": cpu}}


def test_a_slower_machine_has_other_figures_and_the_same_ratios():
    """Both peers are half as fast, so their ratio says the same."""
    old = run("2026-01-01", node=[100, 120], engine=[300, 360])
    new = run("2026-01-02", node=[50, 60], engine=[150, 183])

    assert (
        "Beside the run of 2026-01-01 on Z80: of 1 ratios to Node the ranges over the rounds meet in 1, "
        "of 2 figures themselves in 0." == sentence(old, new)
    )


def test_ratios_apart_are_named():
    """Whoever reads it sees what moved, and how far."""
    old = run("2026-01-01", node=[100, 120], engine=[300, 360])
    new = run("2026-01-02", node=[100, 120], engine=[150, 192])

    assert sentence(old, new).endswith(
        "Ratios apart: Tocsin engine: 1 broadcast, deliveries/s 3.00 to 3.00, then 1.50 to 1.60."
    )


def test_ranges_that_touch_agree():
    """The range belongs to its ends."""
    old, new = run("2026-01-01", node=[100, 120]), run("2026-01-02", node=[120, 140])

    assert [True] == [pair.agrees for pair in pairs(old, new)]


def test_what_one_run_lacks_is_not_compared():
    """A peer that could not be started says nothing about agreement."""
    old = run("2026-01-01", node=[100, 120])
    new = run("2026-01-02", node=[100, 120], engine=[300, 300])

    assert ["Node socket.io: 1 broadcast, deliveries/s"] == [pair.what for pair in pairs(old, new)]


def test_another_plan_is_another_measurement():
    """A thousand connections are not ten thousand."""
    quick = run("2026-01-02", Plan(rounds=1, connections=1_000), node=[100])

    assert "" == sentence(run("2026-01-01", node=[100, 120]), quick)


def test_more_rounds_of_the_same_are_the_same_plan():
    """Five rounds may be laid beside three."""
    more = run("2026-01-02", Plan(rounds=3), node=[100, 110, 120])

    assert sentence(run("2026-01-01", node=[100, 120]), more).endswith("of 1 figures themselves in 1.")


def test_what_was_published_of_the_same_processor_is_nearest(tmp_path):
    """Ratios move with the processor, so one that is known is compared with itself; any other with the table."""
    table, other = run("2026-01-01", cpu="Z80"), run("2026-01-02", cpu="6502")
    (tmp_path / "bench.json").write_text(json.dumps(table))
    (tmp_path / "bench-6502.json").write_text(json.dumps(other))

    assert [other, table, table] == [nearest(tmp_path, run("2026-01-03", cpu=cpu)) for cpu in ("6502", "Z80", "68000")]
