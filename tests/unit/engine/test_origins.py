"""Which pages may connect."""

import pytest

from tocsin.engine.origins import allow_list, same_origin

FOREIGN = [
    "null",
    "",
    "https://evil.example",
    "http://shop.example",
    "https://shop.example.evil.example",
    "https://evilshop.example",
    "https://shop.example:444",
    "https://shop.example/",
    "https://shop.example, https://shop.example",
    "https://user@shop.example",
    "//shop.example",
    "shop.example",
    "https://",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_same_origin_refuses_others(origin):
    """Neither prefix, suffix, scheme, port, null nor a repeated header passes."""
    assert not same_origin(origin, "https", "shop.example")


@pytest.mark.parametrize(
    ("origin", "scheme", "host"),
    [
        ("https://shop.example", "https", "shop.example"),
        ("https://shop.example", "https", "SHOP.example:443"),
        ("http://shop.example", "http", "shop.example:80"),
        ("http://localhost:8000", "http", "localhost:8000"),
        ("http://[::1]:8000", "http", "[::1]:8000"),
    ],
)
def test_same_origin_allows_its_own_pages(origin, scheme, host):
    """Case and an implied port make no difference."""
    assert same_origin(origin, scheme, host)


def test_without_a_host_there_is_no_own_page():
    """An empty Host matches nothing."""
    assert not same_origin("https://", "https", "")


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_list_refuses_others(origin):
    """A list is compared as a whole."""
    assert not allow_list(["https://shop.example"])(origin, "https", "api.example")


def test_a_list_allows_its_entries_and_the_own_page():
    """Listed origins may connect, whatever host they ask; so may the server's own page."""
    allow = allow_list(["https://shop.example", " http://localhost:5173 "])

    assert allow("https://shop.example", "https", "api.example")
    assert allow("HTTPS://SHOP.EXAMPLE:443", "https", "api.example")
    assert allow("http://localhost:5173", "https", "api.example")
    assert allow("https://api.example", "https", "api.example")


def test_an_empty_list_is_same_origin():
    """Without entries only the server's own pages may connect."""
    allow = allow_list([])

    assert allow("https://api.example", "https", "api.example")
    assert not allow("https://shop.example", "https", "api.example")


def test_a_star_allows_every_page():
    """Who writes a star means it."""
    assert allow_list(["*"])("https://anywhere.example", "https", "api.example")


@pytest.mark.parametrize(
    "entry", ["shop.example", "https://", "https://shop.example/path", "ftp://a", "https://*.a", "", "https://a b"]
)
def test_what_is_no_origin_is_refused(entry):
    """An entry that can never match is a mistake, said at once."""
    with pytest.raises(ValueError, match="not an origin"):
        allow_list([entry])
