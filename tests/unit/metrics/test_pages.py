"""The page, the dashboard and the alerts name metrics that there are, with labels that they have."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
import yaml
from scripts.generate.metrics_page import BUS_REASONS, ENGINE_REASONS, files

from tocsin.metrics.catalogue import CATALOGUE, PROCESS_METRICS

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src" / "tocsin"
DASHBOARD = json.loads((ROOT / "deploy/grafana/tocsin.json").read_text())
RULES = yaml.safe_load((ROOT / "deploy/prometheus/tocsin.rules.yml").read_text())

QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
ALERTS = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
# What Prometheus itself adds to each series.
GIVEN = {"instance", "job", "worker", "le"}
LABELS = {metric.name: {*metric.labels} | GIVEN for metric in CATALOGUE} | dict.fromkeys(PROCESS_METRICS, GIVEN)
_NAME = re.compile(r"\b((?:tocsin|process)_[a-z_]+)\b")


def metric_of(name):
    """Return the metric whose series this is."""
    for suffix in ("_bucket", "_sum", "_count"):
        if name.removesuffix(suffix) in LABELS:
            return name.removesuffix(suffix)
    return name


def test_the_page_is_that_of_the_code():
    """``python -m scripts.generate`` has been run."""
    assert files() == {name: (ROOT / name).read_text() for name in files()}


def test_the_reasons_of_the_page_are_those_of_the_engine():
    """Every reason that the engine counts is named; `connect` is told by code."""
    text = "".join(path.read_text() for path in (SOURCE / "engine").glob("*.py"))
    counted = set(re.findall(r'"refused:([a-z_]+)"', text))
    counted |= set(re.findall(r'Refused\([^()]*?"([a-z_]+)"(?:, \d+)?\)', text))

    assert counted - {"connect"} == set(ENGINE_REASONS)


def test_the_reasons_of_the_page_are_those_of_the_bus():
    """Every reason for which a message is dropped is named."""
    text = "".join(path.read_text() for path in (SOURCE / "adapters/bus_redis").glob("*.py"))
    counted = set(re.findall(r'Refused\("([a-z_]+)"\)', text)) | set(re.findall(r'\.count\("([a-z_]+)"', text))
    counted |= set(re.findall(r'dropped\["([a-z_]+)"\]', text)) | set(re.findall(r"dropped\.update\((\w+)=", text))

    assert counted == set(BUS_REASONS)


@pytest.mark.parametrize("query", sorted({*QUERIES, *ALERTS}))
def test_queries_name_what_there_is(query):
    """Each metric, and each label that is asked for or grouped by."""
    names = {metric_of(name) for name in _NAME.findall(query)} or {"up"}
    known = set.intersection(*(LABELS[name] for name in names - {"up"})) if names != {"up"} else GIVEN
    asked = set(re.findall(r"(\w+)=~?\"", query))
    for group in re.findall(r"by \(([^)]*)\)", query):
        asked |= {label.strip() for label in group.split(",")}

    assert asked <= known


@pytest.mark.parametrize("query", sorted({*QUERIES, *ALERTS}))
def test_queries_are_promql(query):
    """Prometheus' own grammar and its check of types; Grafana's variables are filled in as it does."""
    promql_parser.parse(query.replace("$__rate_interval", "1m"))


def test_counters_are_looked_at_by_their_rate():
    """One that starts anew with its process says nothing by itself."""
    counters = {metric.name for metric in CATALOGUE if metric.kind == "counter"}
    bare = {
        name
        for query in (*QUERIES, *ALERTS)
        for name in counters
        for found in re.findall(rf"(\w+)\({name}\b|{name}\b", query)
        if found not in {"rate", "increase"}
    }

    assert set() == bare


def test_every_metric_is_on_the_dashboard():
    """What nobody looks at need not be counted."""
    shown = {metric_of(name) for query in QUERIES for name in _NAME.findall(query)}

    assert {metric.name for metric in CATALOGUE} <= shown


def test_panels_do_not_overlap():
    """Each has its place on a grid of 24 columns, and an id of its own."""
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells

    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_alerts_say_what_is_wrong():
    """Each has a severity and a summary."""
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in {"page", "ticket"}
            assert rule["annotations"]["summary"]
