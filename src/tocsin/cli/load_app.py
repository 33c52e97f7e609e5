"""Finds the application that ``tocsin serve`` is told: ``module:app``, or a factory as ``module:create_app()``."""

import importlib
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tocsin.bootstrap.core import SetupError, StartError


def load_app(name: str) -> Any:
    """
    Return the application; the current folder is looked in first, as ``python -m`` does.

    Raises:
        StartError: There is no such module or attribute, or it failed; in one line.
    """
    module_name, colon, attribute = name.partition(":")
    is_factory = attribute.endswith("()")
    path = attribute.removesuffix("()")
    if not colon or not all(part.isidentifier() for part in (*module_name.split("."), *path.split("."))):
        raise SetupError(f"{name!r} names no application: say module:app, or module:create_app() for a factory")
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.insert(0, str(Path.cwd()))
    found = _attempt(f"{module_name} can't be imported", lambda: importlib.import_module(module_name))
    for part in path.split("."):
        if not hasattr(found, part):
            raise SetupError(f"{module_name} has no {path!r}: say which name of it is the application")
        found = getattr(found, part)
    if is_factory:
        if not callable(found):
            raise SetupError(f"{module_name}:{path} can't be called: leave out the ()")
        found = _attempt(f"{name} failed", found)
    return found


def is_asgi(app: Any, name: str) -> bool:
    """
    Return whether an application is ASGI 3 (three arguments, async), and not WSGI (two).

    Raises:
        StartError: It is neither.
    """
    if not callable(app):
        raise SetupError(f"{name} is no application: it is a {type(app).__name__}")
    call = app if inspect.isroutine(app) else app.__call__
    if inspect.iscoroutinefunction(call):
        return True
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):
        return False
    for arguments in (3, 2):
        try:
            signature.bind(*range(arguments))
        except TypeError:
            continue
        return arguments == 3
    raise SetupError(f"{name} takes neither an ASGI nor a WSGI request; if it makes the application, say {name}()")


def _attempt(what: str, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise StartError(f"{what}: {reason} ({place.filename}:{place.lineno})") from error
