"""The fleet on paper: its arithmetic, and the page that shows it."""

import pytest
from bench.scale import PAGE, SEED, Figures, World, held, loads, published, rates, tables


def test_the_page_shows_what_the_script_says():
    """Whoever changes a figure runs it again with --publish."""
    page = PAGE.read_text()

    assert page == published(page, tables(World(), Figures(), SEED))


def test_shards_carry_all_events_together():
    """None is lost in the sum, and a hot user's are all in one."""
    world = World(users=100_000, cap=1e9)
    hot = rates(world, 1_000)
    shards = loads(world, hot, 64, SEED)

    assert pytest.approx(world.rate) == sum(shards)
    assert hot[0] < max(shards)


def test_of_zipfs_users_all_together_get_what_the_world_gets():
    """The sum over all ranks is the rate: the tail's integral agrees with the sum."""
    world = World(users=50_000, cap=1e9)

    assert pytest.approx(world.rate, rel=1e-3) == sum(rates(world, world.users))


@pytest.mark.parametrize(("shards", "users", "share"), [(64, 0, 0), (2, 1, 0.5), (64, 100_000, 1)])
def test_a_node_holds_the_shards_of_its_users(shards, users, share):
    """None without users, all with many."""
    assert pytest.approx(share) == held(shards, users)
