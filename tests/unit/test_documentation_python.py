"""The Python of the documentation compiles, names what there is, and runs where it is a whole module."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tocsin import Service
from tocsin.websocket_server import SocketIO
from tocsin.websocket_server.app_settings import check_keywords

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*.md"))]
OBJECTS = {"socketio": SocketIO, "service": Service}

BLOCKS = {
    f"{page.relative_to(ROOT)}:{number}": text
    for page in PAGES
    for number, text in enumerate(re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL), 1)
}
# A block that is a whole module says so in its first line; what needs a package that tests don't have is not run.
MODULES = {
    found[1]: text
    for place, text in BLOCKS.items()
    # The tutorial is followed as a whole: tests/docs.
    if not place.startswith("docs/tutorial.md")
    and (found := re.match(r"# (\w+)\.py\n", text))
    and "sqlalchemy.ext.asyncio" not in text
}
SECRET = "a secret for pages, of more than thirty-two bytes"

RUN = """
import asyncio
from pathlib import Path
import httpx
{imports}

async def ask_main():
    await main.service.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(main.app), base_url="http://shop") as client:
        shipped, packed = await client.post("/orders/1/ship"), await client.post("/orders/1/pack")
    await main.service.stop()
    return shipped.json()["title"], packed.json()["title"]

page = app.create_app().test_client()
assert page.get("/").status_code == 200
assert page.post("/posts/3/publish").status_code == 202
tasks.publish_post(3, 7, ["instagram"])
remind.main()
assert asyncio.run(ask_main()) == ("Shipped", "Packed")
host = shop.create_app()
with host.app_context():
    shop.db.create_all()
    shop.db.session.add(shop.Order(id=1, user_id=7, status="paid"))
    shop.db.session.commit()
    assert host.test_client().post("/orders/1/ship").status_code == 200
    assert shop.Notification.query.filter_by(message="It is on its way.").count() == 2
handlers.create_app()
live.feed_changed(app.create_app().socketio, 3)
test_shop.test_a_message_is_answered(Path.cwd())
"""


def names(tree):
    """Return what each name of the block that comes from us is, and what of us it misses."""
    found, missing = {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                if one.name.partition(".")[0] == "tocsin":
                    importlib.import_module(one.name)
                    found["tocsin"] = importlib.import_module("tocsin")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "tocsin":
            module = importlib.import_module(node.module)
            for one in node.names:
                if hasattr(module, one.name):
                    found[one.asname or one.name] = getattr(module, one.name)
                else:
                    missing.append(f"{node.module}.{one.name}")
    return found, missing


def resolve(node, known):
    """Return what an expression names, None where it is not ours; AttributeError where we have no such name."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        if node.attr in OBJECTS:
            return OBJECTS[node.attr]
        owner = resolve(node.value, known)
        if owner in OBJECTS.values() and node.attr in USES:
            return USES[node.attr]
        return None if owner is None else getattr(owner, node.attr)
    return None


def uses():
    core = inspect.getsource(sys.modules["tocsin.bootstrap.core"])
    found = {}
    for attribute, kind in re.findall(r"self\.(\w+) = (\w+)\(self\.store", core):
        found[attribute] = getattr(sys.modules["tocsin.bootstrap.core"], kind)
    return found


USES = uses()


def complaint(call, target):
    """Return what is wrong with a call, or nothing."""
    parameters = list(inspect.signature(target).parameters.values())
    if inspect.isfunction(target) and parameters and parameters[0].name == "self":
        parameters = parameters[1:]
    keywords = {one.arg for one in call.keywords if one.arg}
    try:
        inspect.Signature(parameters).bind(
            *[arg for arg in call.args if not isinstance(arg, ast.Starred)], **dict.fromkeys(keywords)
        )
        if any(one.name == "settings" and one.kind is one.VAR_KEYWORD for one in parameters):
            check_keywords(dict.fromkeys(keywords))
    except (TypeError, ValueError) as error:
        return f"line {call.lineno}: {error}"
    return None


def is_sketch(call):
    """Tell a call whose arguments the page leaves out."""
    return any(isinstance(arg, ast.Constant) and arg.value is ... for arg in call.args)


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_each_block_names_what_there_is(block):
    """It compiles; every import and attribute of ours exists, and every call of ours takes what it is given."""
    tree = ast.parse(block)
    compile(tree, "page", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    known, wrong = names(tree)
    # What a page calls `socketio` or `service` without saying where it is from is ours.
    imported = {one.name for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names}
    known |= {name: kind for name, kind in OBJECTS.items() if name not in imported}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        try:
            target = resolve(node.func, known)
        except AttributeError as error:
            wrong.append(f"line {node.lineno}: {error}")
            continue
        if target is not None and callable(target) and not is_sketch(node):
            wrong.append(complaint(node, target))

    assert [] == [one for one in wrong if one]


def test_each_whole_module_runs(tmp_path):
    """The modules of the how-tos do what they are there for, in one process that has nothing but them."""
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    (tmp_path / "run.py").write_text(
        RUN.format(imports="\n".join(f"import {name}" for name in sorted(MODULES))), encoding="utf-8"
    )
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "SOCKETIO_", "FLASK_"))
    }
    own = {"SECRET_KEY": SECRET, "TOCSIN_DATABASE_URL": f"sqlite:///{tmp_path / 'instance' / 'shop.db'}"}
    (tmp_path / "instance").mkdir()

    done = subprocess.run(
        [sys.executable, "run.py"],
        cwd=tmp_path,
        env=kept | own,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode, done.stdout + done.stderr
