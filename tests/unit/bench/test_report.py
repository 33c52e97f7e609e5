"""The bench's arithmetic: medians, spread, ratios, and what is said of them."""

import json
from xml.etree import ElementTree as ET

import pytest
from bench.generator import Answer
from bench.plot import svg
from bench.report import Results, as_json, markdown, number, table
from bench.rounds import Measured, Plan, Step
from bench.servers import PEERS

PEER = {peer.key: peer for peer in PEERS}


def answer(*, elapsed_s=1.0, arrivals=0, load_busy=0.5, timed_out=False, failed=0):
    return Answer(
        done=0,
        failed=failed,
        arrivals=arrivals,
        even=True,
        elapsed_s=elapsed_s,
        load_busy=load_busy,
        timed_out=timed_out,
        p50_ms=0.0,
        p99_ms=0.0,
    )


def measured(*answers):
    result = Measured()
    result.add("broadcast", [Step(one, server_cpu_s=0.5) for one in answers], lambda one: one.arrivals)
    return result


@pytest.fixture
def results():
    """Three rounds of two peers: Node 100, 110 and 90 a second, the engine 300."""
    results = Results(Plan(rounds=3))
    for rate in (100, 110, 90):
        results.add(PEER["node"], measured(answer(arrivals=rate)))
        results.add(PEER["engine"], measured(answer(arrivals=300, load_busy=0.99)))
    return results


def test_a_repeated_step_counts_by_its_median_rate():
    """One slow repetition does not move the figure of a round."""
    result = measured(*(answer(arrivals=100, elapsed_s=elapsed_s) for elapsed_s in (1.0, 0.5, 10.0)))

    assert 100.0 == result.values["broadcast"]


def test_cpu_is_told_for_one_operation():
    """Half a second of CPU for a hundred arrivals is 5,000 µs each."""
    assert 5_000.0 == measured(answer(arrivals=100)).cpu_us["broadcast"]


def test_a_step_that_timed_out_is_a_fault_and_no_figure():
    """What did not end has no rate."""
    result = measured(answer(arrivals=100, timed_out=True))

    assert ["broadcast: timed out"] == result.faults
    assert "broadcast" not in result.values


def test_failures_are_faults():
    """A figure with failed sockets says so."""
    assert ["broadcast: 2 failed"] == measured(answer(arrivals=100, failed=2)).faults


def test_rounds_give_median_spread_and_ratio(results):
    """Medians over the rounds, half the range as a share of it, and the median of the ratios."""
    assert 100 == results.median("node", "broadcast")
    assert pytest.approx(0.1) == results.spread("node", "broadcast")
    assert 3.0 == results.ratio("engine", "broadcast")


def test_a_missing_peer_or_column_has_no_figure(results):
    """Nothing is made up where nothing was measured."""
    assert results.median("guide", "broadcast") is None
    assert results.ratio("engine", "burst") is None
    assert ["broadcast"] == [column.key for column in results.columns]


def test_the_table_marks_the_generators_limit(results):
    """A figure at which the generator was busy is a lower bound."""
    assert "≥ 300" in table(results)
    assert "≥ 100" not in table(results)


def test_the_table_judges_the_targets(results):
    """A reached figure to reach is told as reached."""
    verdicts = [line for line in table(results).splitlines() if "to reach" in line]

    assert ["reached Tocsin engine: 1 broadcast, deliveries/s: 3.00, to reach ≥ 2.2 x Node socket.io"] == verdicts


def test_markdown_holds_ratios(results):
    """The page's table gives the ratio beside each figure."""
    lines = markdown(results, "It was so before.").splitlines()

    assert "| 1 broadcast, deliveries/s | 100 ±10% | ≥ 300 ±0% (3.00x ±10%) |" in lines
    assert "It was so before." == lines[-1]


def test_json_holds_every_round(results):
    """The raw figures are kept."""
    content = json.loads(as_json(results))

    assert [100, 110, 90] == content["peers"]["node"]["figures"]["broadcast"]["rounds"]
    assert content["peers"]["engine"]["figures"]["broadcast"]["bounded_by_generator"]


def test_the_plot_is_well_formed(results):
    """The SVG is XML and names the peers."""
    text = "".join(ET.fromstring(svg(results)).itertext())

    assert "Node socket.io" in text
    assert "3.00x" in text


@pytest.mark.parametrize(("value", "shown"), [(12_345.6, "12,346"), (99.94, "99.9"), (1.234, "1.23")])
def test_figures_have_three_digits_that_mean_something(value, shown):
    """Large figures have no decimals, small ones two."""
    assert shown == number(value)
