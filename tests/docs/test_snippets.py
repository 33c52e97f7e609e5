"""
Every piece of code of the documentation runs: in its page's order, against a real server, in a real browser.

How pages are read, and how they say what a reader need not see, is told in ``snippets``. What can't be run is listed
here with how often: one more fails the test.
"""

from pathlib import Path

import pytest

from tests.docs.reader import Reader, bare_environment, free_ports
from tests.docs.snippets import Snippet, snippets_of
from tests.docs.stand_ins import stand_ins

ROOT = Path(__file__).parents[2]
PAGES = [
    page
    for page in (ROOT / "README.md", ROOT / "examples/softfactory/README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if snippets_of(page, ROOT)
]
# The languages of what can't be run here, by page; why is told there.
SKIPPED = {
    "README.md": ["sh"],
    "examples/softfactory/README.md": ["sh", "sh", "js"],
    "docs/explanation/engine.md": ["python"],
    "docs/how-to/backup.md": ["sh", "sh"],
    "docs/how-to/doctor.md": ["sh"],
    "docs/how-to/install.md": ["sh", "sh"],
    "docs/how-to/observe.md": ["sh"],
    "docs/how-to/user-data.md": ["sh"],
    "docs/how-to/clients.md": ["kotlin", "swift", "dart", "sh"],
    "docs/how-to/e2ee.md": ["js", "js"],
    "docs/how-to/postgresql.md": ["sql"],
    "docs/how-to/prove.md": ["sh"],
    "docs/how-to/proxies.md": ["caddy"],
    "docs/how-to/push-ladder.md": ["kotlin"],
    "docs/how-to/scale-out.md": ["sh", "sh"],
    "docs/how-to/tokens.md": ["ini"],
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def words(tmp_path, request):
    """What pages name, and where it is on this machine."""
    text = request.getfixturevalue("page").read_text(encoding="utf-8")
    found = free_ports()
    found |= {
        # Two origins.
        "https://tocsin.example.com": f"http://127.0.0.1:{found['8000']}",
        "https://www.example.com": f"http://localhost:{found['5500']}",
        "/srv/shop": str(tmp_path / "reader"),
        "REPOSITORY": str(ROOT),
        "/backup/": f"{tmp_path}/reader/instance/",
    }
    if "cache.internal" in text or "127.0.0.1:6379" in text:
        redis = request.getfixturevalue("redis_url")
        found |= {"redis://tocsin:secret@cache.internal:6379/0": redis, "redis://cache.internal:6379/0": redis}
        found |= {"redis://127.0.0.1:6379/0": redis, "redis://127.0.0.1:6379/1": redis}
    if "db.internal" in text:
        found |= {"postgresql://tocsin:secret@db.internal/tocsin": request.getfixturevalue("postgres_url")}
    return found


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_page(page, words, tmp_path):
    """What the page shows works, from its top to its bottom."""
    folder = tmp_path / "reader"
    (folder / "instance").mkdir(parents=True)
    # The stock Socket.IO client, which Node looks for below.
    (folder / "node_modules").symlink_to(ROOT / "tests/acceptance/node/node_modules")
    env = bare_environment() | {
        "PATH": stand_ins(tmp_path / "bin"),
        "HOME": str(folder),
        "TOCSIN_PORT": words["8000"],
        "TOCSIN_DRAIN_S": "0",
    }

    with Reader(folder, env, words) as reader:
        for snippet in snippets_of(page, ROOT):
            if snippet.mark != "skip":
                reader.follow(snippet)


def test_what_is_skipped_is_known():
    """Nothing is skipped but what can't run here, each with a reason."""
    skipped: dict[str, list[str]] = {}
    for page in PAGES:
        for snippet in snippets_of(page, ROOT):
            if snippet.mark == "skip":
                assert snippet.value, snippet.place
                skipped.setdefault(named(page), []).append(snippet.language)

    assert SKIPPED == skipped


@pytest.mark.parametrize("language", ["kotlin", "sh"])
def test_what_fails_is_told(tmp_path, language):
    """Code that fails, and code that nobody can run and nobody has marked, fail the test with their place."""
    snippet = Snippet("page.md:7", language, "false\n")
    folder = tmp_path / "reader"
    folder.mkdir()
    with Reader(folder, bare_environment(), free_ports()) as reader, pytest.raises(AssertionError, match=r"page\.md:7"):
        reader.follow(snippet)
