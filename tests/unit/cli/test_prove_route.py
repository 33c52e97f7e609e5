"""The way of clients and producers to the nodes."""

from tocsin.cli.prove.route import Address, Route

ONE, OTHER = Address("127.0.0.1", 1), Address("127.0.0.1", 2)


def test_a_route_turns_to_the_other_nodes_and_goes_home_again():
    """Its home is one of the nodes, whatever its number."""
    route = Route([ONE, OTHER], 3)
    assert OTHER == route.address

    route.turn()
    assert (ONE, False) == (route.address, route.is_home)

    route.go_home()
    assert (OTHER, True) == (route.address, route.is_home)


def test_a_route_with_one_node_turns_to_the_same():
    """Where there is nothing else, home is everywhere."""
    route = Route([ONE], 0)
    route.turn()

    assert (ONE, True) == (route.address, route.is_home)


def test_who_changes_the_addresses_changes_every_route():
    """A fault may put a proxy of its own before a node."""
    addresses = [ONE, ONE]
    route = Route(addresses, 1)
    addresses[1] = OTHER

    assert OTHER == route.address
