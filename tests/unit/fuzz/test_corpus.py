"""What the fuzzers have kept runs with every test run, and finds nothing."""

import pytest

from fuzz import corpus
from fuzz.target import NAMES, load

MAX_BYTES = 200_000


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_inputs_break_nothing(name):
    """Each target takes its seeds and every input that has reached new code."""
    target = load(name)
    kept = corpus.read(name)
    try:
        for data in [*target.seeds, *kept]:
            target.run(data)
    finally:
        target.close()

    assert kept, "fuzz it: make fuzz"


def test_the_corpus_is_small():
    """It is checked in, and cloned by everybody."""
    assert MAX_BYTES > sum(path.stat().st_size for path in corpus.KEPT.iterdir())
    assert {f"{name}.txt" for name in NAMES} == {path.name for path in corpus.KEPT.iterdir()}
