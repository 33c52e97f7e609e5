"""The checker finds what a broken server would leave in the journals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.cli.prove.checker import Verdict, check, check_folder
from tocsin.cli.prove.journal import Acked, Journal, Sent, Shown, read_journal

EPOCH = "e1"


def posted(*keys, user="ann"):
    return [entry for key in keys for entry in (Sent(key, user), Acked(key, user, f"id-{key}"))]


def shown(*keys, start=1):
    return [Shown(EPOCH, seq, f"id-{key}", key) for seq, key in enumerate(keys, start)]


def counts(verdict: Verdict) -> dict[str, int]:
    return {name: count.number for name, count in verdict.counts() if count.number}


def judge(producers, events, user="ann") -> dict[str, int]:
    verdict = check(producers, {"client": (user, events)})
    assert verdict.is_kept == (not counts(verdict))
    return counts(verdict)


def test_a_faithful_run_keeps_the_promise():
    """Every acknowledged post, shown once and in order, is no finding."""
    assert {} == judge(posted("a", "b", "c"), shown("a", "b", "c"))


def test_an_order_of_commits_other_than_of_posts_is_fine():
    """The log's order rules, not the order in which producers began."""
    assert {} == judge(posted("a", "b", "c"), shown("c", "a", "b"))


def test_a_missing_acknowledged_post_is_lost():
    """What was acknowledged and never shown is counted, once a client."""
    clients = {"one": ("ann", shown("a")), "two": ("ann", shown("a", "b"))}

    assert {"acknowledged but lost": 1} == counts(check(posted("a", "b"), clients))


def test_a_lost_post_in_the_middle_is_lost_and_leaves_a_gap():
    """A client that jumps over a seq has shown what is not its successor."""
    events = [*shown("a"), *shown("c", start=3)]

    assert {"acknowledged but lost": 1, "out of order": 1} == judge(posted("a", "b", "c"), events)


def test_a_post_never_acknowledged_may_be_missing():
    """A producer that got no answer was promised nothing."""
    assert {} == judge([*posted("a"), Sent("b", "ann")], shown("a"))


def test_a_post_never_acknowledged_may_be_shown():
    """A kill between commit and ack leaves a row that its producer sent."""
    assert {} == judge([*posted("a"), Sent("b", "ann")], shown("a", "b"))


def test_the_same_event_again_is_shown_twice():
    """A repeated place of the log is found."""
    assert {"shown twice": 1} == judge(posted("a", "b"), [*shown("a", "b"), *shown("b", start=2)])


def test_a_second_row_of_one_post_is_shown_twice():
    """A retry that made a second row under a seq of its own is found."""
    events = [*shown("a"), Shown(EPOCH, 2, "id-a-2", "a")]

    assert {"shown twice": 1, "phantom": 1} == judge(posted("a"), events)


def test_events_in_another_order_than_their_seq_are_misordered():
    """A seq below the one before is found."""
    first, second = shown("a", "b")

    assert 0 < judge(posted("a", "b"), [second, first])["out of order"]


def test_two_devices_that_tell_the_log_differently_are_misordered():
    """One seq of one user is one event, whichever client shows it."""
    clients = {"one": ("ann", shown("a", "b")), "two": ("ann", shown("b", "a"))}

    assert {"out of order": 2} == counts(check(posted("a", "b"), clients))


def test_a_new_epoch_counts_from_anywhere():
    """After a restore the seq may be any, as a new epoch says."""
    events = [*shown("a"), Shown("e2", 9, "id-b", "b")]

    assert {} == judge(posted("a", "b"), events)


def test_what_nobody_sent_is_a_phantom():
    """An event without a producer is found."""
    assert {"phantom": 1} == judge(posted("a"), shown("a", "ghost"))


def test_what_was_sent_to_another_user_is_a_phantom():
    """An event at the wrong user is found."""
    assert {"phantom": 1} == judge([*posted("a"), *posted("b", user="bob")], shown("a", "b"))


def test_another_id_than_the_acknowledged_is_a_phantom():
    """A row that was acknowledged under another id is found."""
    assert {"phantom": 1} == judge(posted("a"), [Shown(EPOCH, 1, "id-other", "a")])


def test_two_acknowledgements_with_two_ids_are_a_phantom():
    """A retry that was answered with another row is found."""
    assert {"phantom": 1} == judge([*posted("a"), Acked("a", "ann", "id-other")], shown("a"))


@given(st.data())
def test_any_single_damage_to_a_faithful_journal_is_found(data):
    """Dropping, repeating, swapping or inventing an event never goes unnoticed."""
    keys = [f"k{number}" for number in range(data.draw(st.integers(2, 12)))]
    events = shown(*keys)
    place = data.draw(st.integers(0, len(keys) - 2))
    damage = data.draw(st.sampled_from(["drop", "repeat", "swap", "invent"]))
    if damage == "drop":
        del events[place]
    elif damage == "repeat":
        events.insert(data.draw(st.integers(place + 1, len(events))), events[place])
    elif damage == "swap":
        events[place], events[place + 1] = events[place + 1], events[place]
    else:
        events[place] = events[place]._replace(key="ghost")

    assert {} != judge(posted(*keys), events)


def test_a_folder_of_journals_is_judged_by_its_file_names(tmp_path):
    """What producers and clients wrote to files is read back and judged by user."""
    for name, entries in {
        "producer-0": posted("a"),
        "producer-1": posted("b", user="bob"),
        "client-ann-0": shown("a"),
        "client-bob-1": [],
    }.items():
        journal = Journal(tmp_path / f"{name}.jsonl")
        for entry in entries:
            journal.write(entry)
        journal.close()

    verdict = check_folder(tmp_path)

    assert {"acknowledged but lost": 1} == counts(verdict)
    assert ["client-bob-1 never showed b (id-b)"] == verdict.lost.examples
    assert (2, 1) == (verdict.acked, verdict.shown)


@pytest.mark.parametrize("entry", [Sent("k", "ann"), Acked("k", "ann", "id"), Shown("e", 7, "id", "종")])
def test_an_entry_reads_back_as_it_was_written(tmp_path, entry):
    """A journal keeps each kind of entry exactly."""
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write(entry)
    journal.close()

    assert [entry] == list(read_journal(tmp_path / "journal.jsonl"))
