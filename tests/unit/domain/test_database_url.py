"""What may stand in TOCSIN_DATABASE_URL, and what all who read it are given."""

import pytest
from psycopg import conninfo
from sqlalchemy.engine import make_url

from tocsin.domain.database_url import check_database_url


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///tocsin.db",
        "sqlite:////var/lib/tocsin.db",
        "postgresql://u:p%40ss@db.internal:5433/tocsin?sslmode=require",
        "postgres://[::1]:5432/tocsin",
        "postgresql+psycopg://u@localhost/tocsin",
        "postgresql:///tocsin?host=/run/postgresql",
        "postgresql://u@/tocsin?host=a,b&port=1,2",
    ],
)
def test_a_url_of_one_place_stays_as_it_is(url):
    """Also where its hosts are parameters already."""
    assert url == check_database_url(url)


@pytest.mark.parametrize(
    ("url", "hosts", "ports"),
    [
        ("postgresql://u:p%40ss@a:5432,b:5433/tocsin?target_session_attrs=read-write", "a,b", "5432,5433"),
        ("postgresql://u:p%40ss@a,b:5433,[::1]/tocsin?target_session_attrs=read-write", "a,b,::1", ",5433,"),
    ],
)
def test_several_hosts_with_ports_are_read_by_all(url, hosts, ports):
    """The library of PostgreSQL finds in them what it was told, and SQLAlchemy finds anything."""
    checked = check_database_url(url)

    told = {"host": hosts, "port": ports, "user": "u", "password": "p@ss", "dbname": "tocsin"}
    assert told | {"target_session_attrs": "read-write"} == conninfo.conninfo_to_dict(checked)
    assert "p@ss" == make_url(checked).password
    assert "p@ss" not in make_url(checked).render_as_string()


@pytest.mark.parametrize("url", ["postgresql://u@a:http/tocsin", "postgresql://a:1,b:c/x", "postgresql://u:p/w@a/x"])
def test_a_port_is_a_number(url):
    """It is told in a line that shows nothing of what may be a password."""
    with pytest.raises(ValueError, match=r"no number; in a password / is written %2F"):
        check_database_url(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://a/b", "tocsin.db"])
def test_there_are_two_kinds(url):
    """Nothing else is tried."""
    with pytest.raises(ValueError, match="must be a file"):
        check_database_url(url)
