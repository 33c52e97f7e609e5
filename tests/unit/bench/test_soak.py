"""What a soak concludes from its counts and samples."""

import random

import pytest
from bench.soak.histogram import Histogram
from bench.soak.judge import flat, judge, warm
from bench.soak.plot import panels, svg
from bench.soak.report import BEGIN, END, markdown, publish
from bench.soak.tally import Bits, Counts, Shown, count
from hypothesis import given
from hypothesis import strategies as st


def shown(*numbers, seqs=None, ids="e"):
    tally = Shown()
    for seq, number in zip(seqs or range(1, len(numbers) + 1), numbers, strict=True):
        tally.add(seq, f"{ids}{seq}", number)
    return tally


def bits(*numbers):
    made = Bits()
    for number in numbers:
        made.add(number)
    return made


def test_what_all_clients_have_shown_is_kept():
    """In whatever order the posts got their places, with events between them that are no posts."""
    clients = [(7, shown(1, 0, None, 2)), (7, shown(1, 0, None, 2)), (8, shown())]

    assert Counts() == count({7: 3}, {7: bits(0, 1, 2)}, clients)
    assert Counts().are_kept


@pytest.mark.parametrize(
    ("tally", "expected"),
    [
        (shown(0, 1), Counts(lost=1)),
        (shown(0, 1, 2, 2), Counts(twice=1)),
        (shown(0, 1, 2, seqs=[1, 3, 4]), Counts(misordered=1)),
        (shown(0, 1, 2, seqs=[2, 3, 4]), Counts(misordered=1)),
        (shown(0, 1, 2, 3), Counts(phantom=1)),
        (shown(0, 1, 2, ids="other"), Counts(misordered=1)),
    ],
)
def test_each_broken_promise_is_counted(tally, expected):
    """Lost, shown again, out of order, never posted, and other than the user's other client had it."""
    found = count({7: 3}, {7: bits(0, 1, 2)}, [(7, shown(0, 1, 2)), (7, tally)])

    assert expected == found
    assert not found.are_kept


def test_what_was_sent_and_not_acknowledged_may_be_shown_or_not():
    """The answer may have been lost, or the post."""
    clients = [(7, shown(0, 1)), (8, shown(0))]

    assert Counts() == count({7: 2, 8: 2}, {7: bits(0), 8: bits(0)}, clients)


@given(st.lists(st.integers(0, 2_000)))
def test_bits_are_a_set(numbers):
    """Whatever is put in, as often as it is; the same after a trip as text."""
    made = Bits()
    added = [made.add(number) for number in numbers]

    assert len(set(numbers)) == sum(added) == made.value.bit_count()
    assert made.value == Bits.from_hex(made.hex()).value == sum(1 << number for number in set(numbers))


@given(st.lists(st.floats(0.0, 100_000.0), min_size=1), st.sampled_from([0.5, 0.99, 1.0]))
def test_a_percentile_is_off_by_three_percent_at_most(values, share):
    """And may be told of two histograms as of one."""
    first, second = Histogram(), Histogram()
    for value in values:
        random.Random(value).choice((first, second)).add(value)
    first.merge(second)
    exact = sorted(values)[max(0, -(-int(share * 100) * len(values) // 100) - 1)]

    assert max(exact, 0.01) <= first.percentile(share) * 1.000001
    assert first.percentile(share) <= max(exact, 0.01) * 1.0301


def test_no_latencies_have_no_percentiles():
    """0, and nothing is raised."""
    assert 0.0 == Histogram().percentile(0.99)


@pytest.mark.parametrize(
    ("values", "is_flat"),
    [
        ([100.0] * 9, True),
        ([100.0, 101.0, 99.0, 140.0, 100.0, 98.0, 103.0, 104.0, 102.0], True),
        ([100.0 + number for number in range(12)], False),
        ([100.0 - number for number in range(12)], False),
        ([0.0] * 9, True),
        ([100.0], False),
    ],
)
def test_flat_is_five_percent(values, is_flat):
    """One sample that stands out is no leak; a slope is one, and too few samples show nothing."""
    assert is_flat == flat("memory", values, "MiB").is_good


def sample(second, rss=100_000):
    return {"s": second, "rss_kib": rss, "objects": 50, "threads": 6, "p99_ms": 2.0, "connected": 3}


def test_the_warm_up_does_not_count():
    """What a server takes at first it may take."""
    samples = [sample(second, rss=100_000 if second > 20 else second * 1_000) for second in range(60)]
    sentences = judge(samples, 21.0, Counts(), acked=100, rates=(99, 100), complaints=[], failures={"reads": 0})

    assert 39 == len(warm(samples, 21.0))
    assert all(sentence.is_good for sentence in sentences)


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": Counts(lost=1)},
        {"rates": (97.0, 100.0)},
        {"acked": 0},
        {"complaints": ["Traceback"]},
        {"failures": {"reads": 1}},
    ],
)
def test_whatever_is_not_as_it_has_to_be_is_said(changes):
    """One sentence each, which is not good."""
    given = {"counts": Counts(), "acked": 100, "rates": (99.0, 100.0), "complaints": [], "failures": {}} | changes
    sentences = judge([sample(second) for second in range(9)], 0.0, given.pop("counts"), **given)

    assert 1 <= sum(not sentence.is_good for sentence in sentences) <= 2


def test_the_plot_is_one_picture():
    """Every panel has its lines, whatever is missing from the samples."""
    samples = [sample(second) for second in range(400)]
    picture = svg("A <soak>", [one["s"] for one in samples], 30.0, panels(samples))

    assert picture.startswith("<svg ")
    assert "A &lt;soak&gt;" in picture
    assert 8 == picture.count("<polyline")
    assert len(picture) < 60_000


RESULTS = {
    "latency_ms": {"p50": 2.0, "p99": 9.5},
    "answer_ms": {"p50": 1.0, "p99": 3.0},
    "arguments": {"minutes": 30.0, "clients": 5_000, "rate": 1_000.0},
    "sessions": 7,
    "shown": 8,
    "reads": 9,
    "loop_delay_p99_ms": 4.4,
    "database_bytes_an_event": 1_000.4,
    "sentences": [{"is_good": True, "text": "memory"}, {"is_good": False, "text": "threads"}],
}


def test_the_figures_stand_between_the_marks(tmp_path):
    """What is not good is said so; written twice, they stand there once."""
    page = tmp_path / "page.md"
    page.write_text(f"Before\n{BEGIN}{END}After\n")
    for _ in range(2):
        publish(page, markdown(RESULTS))
    text = page.read_text()

    assert text.startswith(f"Before\n{BEGIN}")
    assert text.endswith(f"{END}After\n")
    assert 1 == text.count("p99 9.5 ms")
    assert "- memory\n- **NOT GOOD** threads\n" in text
