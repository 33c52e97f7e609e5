"""The documentation as a site: it builds strictly, asks no other host, and is readable in any colours and width."""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.reader import HERE, ROOT, Pipe

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

PAGES = ["", "tutorial/", "how-to/elements/", "how-to/clients/", "reference/rest/", "reference/cli/", "adr/"]
# What a browser fetches by itself; `a` and `link rel=canonical` are for people and machines that ask.
_FETCHED = {"script": "src", "img": "src", "source": "src", "iframe": "src", "video": "src", "use": "href"}


class Fetched(HTMLParser):
    """Collects what a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in _FETCHED:
            self.urls.append(given.get(_FETCHED[tag]) or "")
        if tag == "link" and not {"canonical", "next", "prev", "alternate"} & set((given.get("rel") or "").split()):
            self.urls.append(given.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    config = (ROOT / "mkdocs.yml").read_text().replace("site_dir: build/docs", "site_dir: site")
    (folder / "mkdocs.yml").write_text(config)
    shutil.copytree(ROOT / "docs", folder / "docs")
    zensical = Path(sys.executable).with_name("zensical")
    done = subprocess.run(
        [zensical, "build", "--strict", "--clean"], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def url(site):
    """Where the site is served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    """A browser that follows steps."""
    pipe = Pipe(shutil.which("node") or "node", str(HERE / "browser.mjs"), cwd=ROOT, env=dict(os.environ))
    yield pipe
    pipe.close()


def test_pages_and_styles_name_no_other_host(site):
    """No page fetches anything of another host, and no style sheet does."""
    foreign = []
    for page in site.rglob("*.html"):
        parser = Fetched()
        parser.feed(page.read_text(encoding="utf-8"))
        foreign += [(page.name, one) for one in parser.urls if re.match(r"(?:https?:)?//", one)]
    for style in site.rglob("*.css"):
        foreign += re.findall(r"(?:url\(|@import )['\"]?(?:https?:)?//[^)'\"]+", style.read_text(encoding="utf-8"))

    assert [] == foreign


def test_documents_of_the_reference_are_there(site):
    """OpenAPI and AsyncAPI lie beside the pages."""
    for name in ("openapi", "asyncapi"):
        assert name in json.loads((site / f"reference/{name}.json").read_text())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_readable(url, browser, scheme):
    """In both colours and on a phone: nothing foreign is asked for, nothing fails, nothing is wider than the screen."""
    wrong = browser.ask(
        {
            "code": f"""
const wrong = [];
const asked = (request) => {{
  if (!/^(data:|blob:)/.test(request.url()) && !request.url().startsWith("{url}/")) wrong.push(request.url());
}};
const answered = (answer) => {{ if (answer.status() >= 400) wrong.push(`${{answer.status()}} ${{answer.url()}}`); }};
const failed = (error) => wrong.push(`${{error}}`);
page.on("request", asked); page.on("response", answered); page.on("pageerror", failed);
await page.emulateMedia({{ colorScheme: "{scheme}" }});
for (const path of {json.dumps(PAGES)}) {{
  for (const width of [1280, 360]) {{
    await page.setViewportSize({{ width, height: 800 }});
    await page.goto(`{url}/${{path}}`, {{ waitUntil: "networkidle" }});
    const seen = await page.evaluate(() => {{
      const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number);
      return {{ light: red + green + blue, over: document.documentElement.scrollWidth - innerWidth }};
    }});
    if (("{scheme}" === "dark") !== seen.light < 300) wrong.push(`${{path}}: background ${{seen.light}}`);
    if (seen.over > 0) wrong.push(`${{path}} at ${{width}}: ${{seen.over}} pixels too wide`);
  }}
}}
page.off("request", asked); page.off("response", answered); page.off("pageerror", failed);
assert.deepEqual(wrong, []);
"""
        }
    )

    assert [] == wrong


def test_search_finds_a_page(url, browser):
    """A word leads to the page that is about it."""
    wrong = browser.ask(
        {
            "code": f"""
await page.setViewportSize({{ width: 1280, height: 800 }});
await page.goto("{url}/", {{ waitUntil: "networkidle" }});
await page.keyboard.press("/");
await page.keyboard.type("celery");
await page.locator('a[href*="how-to/celery"]:visible').first().waitFor();
"""
        }
    )

    assert [] == wrong
