"""What judges a corpus."""

import textwrap

from fuzz import corpus
from fuzz.tracing import Tracer, least

MODULE = """
def judge(number):
    if number > 1:
        return "big"
    return "small"
"""


def module(folder):
    path = folder / "judged.py"
    path.write_text(textwrap.dedent(MODULE))
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return type("Module", (), {"__file__": str(path), "judge": staticmethod(names["judge"])})


def test_the_steps_of_a_call_are_its_lines_and_branches(tmp_path):
    """What does not run is no step."""
    judged = module(tmp_path)
    tracer = Tracer([judged])
    big, small = tracer.steps(lambda: judged.judge(2)), tracer.steps(lambda: judged.judge(1))

    assert {3, 4} == {line for _, _, line in big}
    assert {3, 5} == {line for _, _, line in small}
    assert 3 == tracer.lines


def test_the_least_inputs_make_all_steps():
    """The shortest ones, and none that adds nothing."""
    one, two, three = ("f", 0, 1), ("f", 1, 2), ("f", 1, 3)

    assert [b"a", b"ccc"] == least({b"bb": {one, two}, b"a": {one, two}, b"ccc": {one, three}})
    assert [] == least({})


def test_what_is_kept_is_read_again(tmp_path, monkeypatch):
    """Whatever bytes they are, the shortest first, and within the bound."""
    monkeypatch.setattr(corpus, "KEPT", tmp_path)
    monkeypatch.setattr(corpus, "MAX_KEPT_BYTES", 40)
    corpus.write("x", [b"\n\x00\xff", b"", b"y" * 1_000, b"\n\x00\xff"])

    assert [b"", b"\n\x00\xff"] == corpus.read("x")
    assert [] == corpus.read("unknown")
