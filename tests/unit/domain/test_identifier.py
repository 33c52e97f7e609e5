"""Ids of our own."""

from uuid import RFC_4122, UUID

from tocsin.domain.identifier import derived_id, id_after, new_id


def test_ids_are_version_seven_and_sort_by_creation():
    """Canonical UUIDv7 text; later ids sort behind earlier ones."""
    ids = [new_id() for _ in range(1_000)]

    assert ids == sorted(set(ids))
    assert all(str(UUID(one)) == one and UUID(one).version == 7 for one in ids)


def test_an_id_sorts_after_one_that_another_clock_dated_ahead():
    """Whatever this machine's clock says; those in a row too, and they stay of version seven."""
    ids = [derived_id(4_102_444_800_000, "of the year 2100")]
    for _ in range(100):
        ids.append(id_after(ids[-1]))

    assert ids == sorted(set(ids))
    assert all(UUID(one).version == 7 and UUID(one).variant == RFC_4122 for one in ids)
    assert new_id() < id_after(new_id()) < ids[0]
