"""Which database URLs there are, in the form that all who read them take."""

import re

_HOST = re.compile(r"(\[[^\]]*\]|[^:\[\]]*)(?::([0-9]{0,5}))?")


def check_database_url(url: str) -> str:
    """
    Return a URL whose hosts, if it names several, are parameters.

    PostgreSQL's own library reads them before the path as well (``a:5432,b:5433``), SQLAlchemy there one alone.

    Raises:
        ValueError: It is none of SQLite or PostgreSQL, the database is in memory, or a port is no number.
    """
    if url.startswith("sqlite:///") and re.fullmatch(r"[^?]+", url[10:]) and not url.endswith(":memory:"):
        return url
    found = re.fullmatch(r"(postgres(?:ql)?(?:\+psycopg)?://)([^/?]*)([^?]*)\??(.*)", url, re.DOTALL)
    if found is None:
        raise ValueError("must be a file, as in sqlite:///tocsin.db, or look like postgresql://user@host/database")
    scheme, authority, path, parameters = found.groups()
    user, at, hosts = authority.rpartition("@")
    each = [_HOST.fullmatch(host) for host in hosts.split(",")]
    if None in each:
        raise ValueError("has a port that is no number; in a password / is written %2F, and @ %40")
    if len(each) == 1:
        return url
    names = ",".join(one[1].strip("[]") for one in each if one)
    ports = ",".join(one[2] or "" for one in each if one)
    named = [f"host={names}", f"port={ports}", *([parameters] if parameters else [])]
    return f"{scheme}{user}{at}{path or '/'}?{'&'.join(named)}"
