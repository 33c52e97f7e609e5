"""Ids of our own."""

from uuid import UUID

from tocsin.domain.identifier import new_id


def test_ids_are_version_seven_and_sort_by_creation():
    """Canonical UUIDv7 text; later ids sort behind earlier ones."""
    ids = [new_id() for _ in range(1_000)]

    assert ids == sorted(set(ids))
    assert all(str(UUID(one)) == one and UUID(one).version == 7 for one in ids)
