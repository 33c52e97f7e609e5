"""The reference pages name everything that there is, and nothing else; links lead somewhere."""

import inspect
import re
from pathlib import Path

import pytest
import typer.main

from tests.conftest import SECRET
from tocsin import Service, Settings, websocket_server
from tocsin.bridge import Receipt
from tocsin.cli import app
from tocsin.domain import errors
from tocsin.domain.events import CLIENT_EVENTS, CONTROL_EVENTS, NAMESPACES, REGISTRY
from tocsin.engine import refusals
from tocsin.rest import problems
from tocsin.services import fcm_service, notifications
from tocsin.testing import plugin
from tocsin.testing.client import LiveClient
from tocsin.websocket_server import SocketIO

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), *sorted(ROOT.glob("*.md"))]

_CODE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_NAME = re.compile(r"`([^`]+)`")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def rows(page: str, section: str = "") -> list[list[str]]:
    """Return the cells of the tables of a reference page, or of one section of it, without their heads."""
    text = (DOCS / "reference" / page).read_text()
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\|(.+)\|$", text.replace(r"\|", "/"), re.MULTILINE)
    table = [[cell.strip() for cell in line.split("|")] for line in lines]
    heads = {index - 1 for index, cells in enumerate(table) if set(cells[0]) == {"-"}}
    return [cells for index, cells in enumerate(table) if index not in heads and index - 1 not in heads]


def events(section: str) -> dict[tuple[str, str], str]:
    """Return the last cell of each (namespace, event) of a table in which a namespace stands once for its rows."""
    found, namespace = {}, ""
    for first, names, *_, last in rows("events.md", section):
        namespace = first.strip("`") or namespace
        found |= {(namespace, name): last for name in _NAME.findall(names)}
    return found


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('docs') / 'docs.db'}"
    return Service(Settings(_env_file=None, jwt_secret=SECRET, jwt_public_key=None, database_url=url))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page):
    """Every link to a file names one that is there, and a heading that it has."""
    broken = []
    for link in _LINK.findall(_CODE.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        target = (page.parent / path) if path else page
        if not link.startswith("https://") and (not target.exists() or (anchor and anchor not in anchors(target))):
            broken.append(link)

    assert [] == broken


def test_every_page_can_be_found():
    """Each page of the documentation is linked from another page."""
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in _LINK.findall(page.read_text())
        if not link.startswith(("https://", "#"))
    }

    assert [] == [named(page) for page in PAGES if DOCS in page.parents and page not in linked and page.stem != "index"]


def test_server_events_are_those_of_the_registry():
    """The page names every event that a server sends, with its namespace and whether it is durable."""
    registered = {(kind.namespace, kind.name): "durable" if kind.durable else "ephemeral" for kind in REGISTRY}
    control = {("each", name): "control" for name in CONTROL_EVENTS}

    assert registered | control == events("Server → client")


def test_payloads_of_server_events_are_told_in_full():
    """The page names every field of every payload."""
    fields = {kind.name: kind.payload.__annotations__.keys() for kind in REGISTRY}
    fields |= {name: payload.__annotations__.keys() for name, payload in CONTROL_EVENTS.items()}

    told = ""
    for _, names, payload, _ in rows("events.md", "Server → client"):
        told = told + payload if payload.startswith("the same") else payload
        for name in _NAME.findall(names):
            assert fields[name] <= set(re.findall(r"\w+", told))


def test_client_events_are_those_that_are_taken(service):
    """The page names every event that a namespace takes."""
    documented = events("Client → server").keys()
    everywhere = {name for namespace, name in documented if namespace == "each"}

    for namespace in NAMESPACES:
        own = {name for place, name in documented if place == namespace}
        assert service.engine.namespaces[namespace].events.keys() == own | everywhere
        assert CLIENT_EVENTS[namespace] == own


def test_routes_are_those_of_the_openapi_document(service):
    """The page names every method of every path."""
    operations = {
        (method.upper(), path.replace("{notification_id}", "{id}"))
        for path, item in service.rest.openapi()["paths"].items()
        for method in item
    }

    documented = {tuple(name.split(" ", 1)) for cells in rows("rest.md") for name in _NAME.findall(cells[0])}
    assert operations == {pair for pair in documented if len(pair) == 2}


def test_refusal_codes_are_those_of_the_code():
    """The page names every code with its status."""
    kinds = [kind for module in (errors, problems) for kind in vars(module).values() if isinstance(kind, type)]
    codes = {kind.code: kind.status for kind in kinds if issubclass(kind, errors.TocsinError)}
    # The root of all, and what only Python hosts can meet.
    del codes["error"], codes["not_initialized"]
    constants = [value for value in vars(refusals).values() if isinstance(value, dict) and "code" in value]

    assert codes | {problem["code"]: problem["status"] for problem in constants} == {
        code.strip("`"): int(status) for code, status, _ in rows("rest.md", "Refusals")
    }


def test_settings_and_their_defaults_are_those_of_the_code():
    """The page names every variable, and each default that it gives is the one in force."""
    actual = {}
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        variable = f"TOCSIN_{name.upper()}" if alias is None else str(alias.choices[0])
        actual[variable] = field.default

    documented = {}
    for names, defaults, _ in rows("settings.md", "Settings"):
        variables, values = _NAME.findall(names), _NAME.findall(defaults)
        documented |= dict(zip(variables, values or [None] * len(variables), strict=True))
    assert actual.keys() == documented.keys()
    for variable, default in documented.items():
        if default is not None:
            assert str(actual[variable]).removesuffix(".0") == default.removesuffix(".0")


@pytest.mark.parametrize("module", [notifications, fcm_service])
def test_functions_of_services_are_those_of_the_code(module):
    """The page names every function with its parameters; the language is told of apart."""
    actual = {}
    for name, function in inspect.getmembers(module, inspect.isfunction):
        if function.__module__ == module.__name__ and not name.startswith("_"):
            parameters = inspect.signature(function).parameters
            actual[name] = [one for one in parameters if one != "lang"]

    documented = {}
    for cells in rows("python.md", module.__name__):
        for name, parameters in re.findall(r"`(\w+)\(([^)]*)\)`", cells[0]):
            documented[name] = [one.partition("=")[0] for one in parameters.split(", ") if one != "*"]
    assert actual == documented


@pytest.mark.parametrize(
    ("section", "kinds"),
    [("tocsin.websocket_server", [Receipt, SocketIO, websocket_server]), ("tocsin.Service", [Service])],
)
def test_what_hosts_call_is_that_of_the_code(section, kinds):
    """The page names every public function and method with its parameters."""
    actual = {}
    for kind in kinds:
        for name, function in inspect.getmembers(kind, inspect.isfunction):
            if not name.startswith("_") and name != "settle":
                actual[name] = [one for one in inspect.signature(function).parameters if one != "self"]

    documented = {}
    for cells in rows("python.md", section):
        for name, parameters in re.findall(r"`(?:await )?(\w+)\(([^)]*)\)`", cells[0]):
            documented[name] = [
                one.partition("=")[0].lstrip("*") for one in parameters.split(", ") if one not in {"*", ""}
            ]
    documented.pop("SocketIO", None)
    assert actual == documented


def test_fixtures_are_those_of_the_plugin():
    """The page names every fixture that the plug-in brings, and each public method of a client."""
    text = (DOCS / "how-to/testing.md").read_text()
    table = text.partition("## The fixtures")[2]
    fixtures = [name for name, one in vars(plugin).items() if type(one).__name__ == "FixtureFunctionDefinition"]
    methods = [name for name, _ in inspect.getmembers(LiveClient, inspect.isfunction) if not name.startswith("_")]

    assert {*fixtures} - {"tocsin_variables"} == set(re.findall(r"`((?:tocsin|fake)_\w+)`", table))
    assert {*methods} <= set(re.findall(r"`(\w+)\(", table))


def test_commands_are_those_of_the_command_line():
    """The page names every command, and options that it shows are there."""
    root = typer.main.get_command(app)
    groups = {name: command for name, command in root.commands.items() if hasattr(command, "commands")}
    commands = {name: command for name, command in root.commands.items() if name not in groups}
    commands |= {f"{group} {name}": one for group, found in groups.items() for name, one in found.commands.items()}

    documented = {}
    for names, meaning in rows("settings.md", "Commands"):
        for text in _NAME.findall(names):
            words = re.match(r"tocsin ([a-z][a-z -]*)", text)[1].split(" ")
            name = " ".join(word for word in words if word and not word.startswith("-"))
            documented[name] = re.findall(r"--[a-z]+", f"{text} {meaning}")
    assert commands.keys() == documented.keys()
    for name, options in documented.items():
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert set(options) <= known


def test_the_map_names_files_that_are_there():
    """Each file and folder of the map exists."""
    text = (DOCS / "map.md").read_text()
    files = re.findall(r"`((?:[\w.]+/)*[\w.]+\.(?:py|ts|mjs|md))`|`((?:[\w.]+/)+)`", text)
    places = [ROOT, ROOT / "src/tocsin", ROOT / "web/src/client"]
    missing = [name for pair in files for name in pair if name and not any((place / name).exists() for place in places)]
    tree = text.partition("```\n")[2].partition("```")[0].splitlines()
    folders = [line.split()[0] for line in tree if re.match(r" *[\w/]+(/|\.py) ", line)]

    assert files
    assert [] == missing
    assert [] == [name for name in folders if not any((place / name).exists() for place in places)]
