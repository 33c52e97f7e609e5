"""Templates of words: what may stand in one, and what it says."""

import pytest

from tocsin.domain.errors import Invalid
from tocsin.domain.notification import MAX_TITLE
from tocsin.domain.template import Template, check_template, render


def template(title, message=""):
    return Template(name="t", locale="en", title=title, message=message)


@pytest.mark.parametrize(
    ("source", "values", "said"),
    [
        ("Hello {{ name }}", {"name": "Mina"}, "Hello Mina"),
        ("Hello {{ name }}", {}, "Hello"),
        ("{% if n == 1 %}one{% elif n > 1 %}{{ n }}{% else %}none{% endif %}", {"n": 3}, "3"),
        ("{{ n - 1 }} of {{ names|length }}: {{ names|join(', ') }}", {"n": 2, "names": ["a", "b"]}, "1 of 2: a, b"),
        ("{{ user.name|upper }}{{ user['city'] }}", {"user": {"name": "a", "city": "서울"}}, "A서울"),
        ("{{ html }}", {"html": "<b>&amp;</b>"}, "<b>&amp;</b>"),
        ("{{ x }}", {"x": "c\0d"}, "c\ufffdd"),
        ("two\nlines", {}, "two lines"),
    ],
)
def test_it_says(source, values, said):
    """What is missing is empty; text is text; a title is one line that every database can hold."""
    found = render(template(source), values)

    assert said == found[0]


def test_what_is_too_long_is_cut():
    """Within what a notification holds."""
    title, message = render(template("{{ x }}", "{{ x }}"), {"x": "가" * 16_000})

    assert (MAX_TITLE, 4_000) == (len(title), len(message))


def test_values_that_do_not_fit_say_nothing(caplog):
    """It is logged, and the caller has other words."""
    assert render(template("{{ n - 1 }}"), {"n": "many"}) is None
    assert "can't be filled in" in caplog.text


@pytest.mark.parametrize(
    "source",
    [
        "{% for x in y %}{% endfor %}",
        "{{ f() }}",
        "{{ x * 1000000 }}",
        "{{ 2 ** 100000 }}",
        "{% set x = 1 %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{{ x|replace('a', 'aa') }}",
        "{{ x|center(99999999) }}",
        "{{ 'x' % 1 }}",
        "{{ x",
        "{% if x %}",
        "x" * 4_001,
    ],
)
def test_what_could_work_for_long_is_refused(source):
    """Also in the message, and inside of something else."""
    for one in (template(source), template("t", source), template("{% if y %}" + source + "{% endif %}")):
        with pytest.raises(Invalid):
            check_template(one)


def test_what_is_harmless_is_accepted():
    """Conditions, values and filters."""
    check_template(template("{{ a|default('x')|truncate(20) }}{% if not b or c is defined %}{{ d ~ e[0] }}{% endif %}"))
