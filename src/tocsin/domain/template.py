"""
Words of notifications as templates: what may stand in one, and what it says.

Jinja's syntax, of which values, conditions and some filters are allowed: no
loop, call, assignment or product, so that no template can work for long or
write more than a little over what it is given. What is put in is text; nothing
is escaped, for it is shown as text.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jinja2 import Template as Compiled
from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tocsin.domain.errors import Invalid
from tocsin.domain.notification import MAX_MESSAGE, MAX_TITLE
from tocsin.domain.text import check_text, cut, storable
from tocsin.domain.timestamp import iso

MAX_NAME = 64
MAX_SOURCE = 4_000
# Characters, or the number, that a filter may be given.
_MOST_GIVEN = 200

_FILTERS = frozenset(
    {"abs", "capitalize", "count", "d", "default", "first", "int", "join", "last"}
    | {"length", "lower", "round", "string", "title", "trim", "truncate", "upper"}
)
_TESTS = frozenset(
    {"boolean", "defined", "eq", "even", "false", "ge", "gt", "in", "le", "lt", "ne", "none"}
    | {"number", "odd", "string", "true", "undefined"}
)
_NODES = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem),
    *(nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Test),
    *(nodes.Add, nodes.Sub, nodes.Neg, nodes.Pos, nodes.Concat, nodes.Filter, nodes.List, nodes.Tuple, nodes.Keyword),
)

_environment = ImmutableSandboxedEnvironment(autoescape=False)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """The words of one name in one language; ``updated_at`` in milliseconds since 1970."""

    name: str
    locale: str
    title: str
    message: str
    updated_at: int = 0

    def json(self) -> dict[str, Any]:
        """Return the JSON object of REST."""
        return {
            "name": self.name,
            "locale": self.locale,
            "title": self.title,
            "message": self.message,
            "updated_at": iso(self.updated_at),
        }


def check_template(template: Template) -> None:
    """
    Check a template before it is kept.

    Raises:
        Invalid: It is no template, or holds what none may; the detail says where.
    """
    check_text("name", template.name, MAX_NAME)
    for field in ("title", "message"):
        source = getattr(template, field)
        check_text(field, source, MAX_SOURCE, least=1 if field == "title" else 0)
        try:
            for node in _environment.parse(source).iter_child_nodes():
                _check(field, node)
            _environment.from_string(source)  # which knows the tests that there are
        except TemplateError as error:
            raise Invalid(f"{field} is no template: {error}") from None
        except (RecursionError, SyntaxError, MemoryError):
            raise Invalid(f"{field} is nested too deeply") from None


def _check(field: str, node: nodes.Node) -> None:
    kind = type(node).__name__
    if not isinstance(node, _NODES):
        raise Invalid(f"{field}: a template has no {kind} (line {node.lineno}): values, conditions and filters alone")
    if isinstance(node, nodes.Test) and node.name not in _TESTS:
        raise Invalid(f"{field}: a template has no test '{node.name}'; it has {', '.join(sorted(_TESTS))}")
    if isinstance(node, nodes.Filter):
        _check_filter(field, node)
    for child in node.iter_child_nodes():
        _check(field, child)


def _check_filter(field: str, node: nodes.Filter) -> None:
    if node.name not in _FILTERS:
        raise Invalid(f"{field}: a template has no filter '{node.name}'; it has {', '.join(sorted(_FILTERS))}")
    given = [*node.args, *(keyword.value for keyword in node.kwargs)]
    if (
        node.dyn_args
        or node.dyn_kwargs
        or not all(isinstance(one, nodes.Const) and _is_small(one.value) for one in given)
    ):
        raise Invalid(f"{field}: what is given to the filter '{node.name}' must be a short text or a small number")
    # A text joined by a text, and that again, would grow without end.
    if node.name == "join" and any(inner is not node and inner.name == "join" for inner in node.find_all(nodes.Filter)):
        raise Invalid(f"{field}: 'join' of what was joined is more than a template may do")


def _is_small(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _MOST_GIVEN
    return value is None or (isinstance(value, int | float) and abs(value) <= _MOST_GIVEN)


def render(template: Template, values: Mapping[str, Any]) -> tuple[str, str] | None:
    """
    Return title and message, cut to what a notification holds; None if the values do not fit, which is logged.

    What is missing is empty. Thread-safe.
    """
    try:
        title = _compiled(template.title).render(values)
        message = _compiled(template.message).render(values)
    except Exception as error:  # noqa: BLE001 whatever a value does to a filter
        _log.warning("template '%s' (%s) can't be filled in: %s", template.name, template.locale, error)
        return None
    return cut(" ".join(storable(title).split()), MAX_TITLE), cut(storable(message).strip(), MAX_MESSAGE)


@lru_cache(maxsize=512)
def _compiled(source: str) -> Compiled:
    return _environment.from_string(source)
