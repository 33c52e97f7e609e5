"""Readings as Prometheus gets them."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tocsin.metrics.catalogue import CATALOGUE
from tocsin.metrics.exposition import expose, read_process
from tocsin.metrics.reading import HistogramReading

ONE = {
    "tocsin_users": {(): 3},
    "tocsin_refusals_total": {("rest", "not_found"): 2},
    "tocsin_commit_seconds": {(): HistogramReading((0.1, 1.0), (4, 1, 2), 9.5)},
}


def samples(readings, accept=""):
    text, _ = expose(readings, accept)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_a_process_that_is_alone_has_no_label():
    """Its series are those of the catalogue."""
    found = samples({"": ONE})

    assert 3 == found["tocsin_users", ()]
    assert 2 == found["tocsin_refusals_total", (("door", "rest"), ("reason", "not_found"))]


def test_ranges_add_up():
    """Each bucket holds what is below it, the last one all."""
    found = samples({"": ONE})

    buckets = {labels[0][1]: value for (name, labels), value in found.items() if name == "tocsin_commit_seconds_bucket"}
    assert {"0.1": 4, "1.0": 5, "+Inf": 7} == buckets
    assert (7, 9.5) == (found["tocsin_commit_seconds_count", ()], found["tocsin_commit_seconds_sum", ()])


def test_each_worker_has_series_of_its_own():
    """Nothing is added up: a counter that starts anew would look like one that falls."""
    found = samples({"1": ONE, "4": {"tocsin_users": {(): 9}}})

    assert 3 == found["tocsin_users", (("worker", "1"),)]
    assert 9 == found["tocsin_users", (("worker", "4"),)]


def test_openmetrics_is_given_to_who_asks_for_it():
    """The text ends as that format wants it."""
    text, media_type = expose({"": ONE}, "application/openmetrics-text; version=1.0.0")

    assert text.endswith(b"# EOF\n")
    assert media_type.startswith("application/openmetrics-text")


def test_the_process_tells_its_memory():
    """What the system knows of the process is there under the usual names."""
    found = samples({"": read_process()})

    assert found["process_resident_memory_bytes", ()] > 1_000_000


def test_names_follow_the_conventions():
    """Base units, counters that end in ``_total``, and no name twice."""
    names = [metric.name for metric in CATALOGUE]

    assert len(set(names)) == len(names)
    for metric in CATALOGUE:
        assert re.fullmatch(r"tocsin_[a-z_]+", metric.name)
        assert (metric.kind == "counter") == metric.name.endswith("_total")


@pytest.mark.parametrize(
    "accept",
    ["text/plain;version=x", 'application/openmetrics-text;version="1.0.0"', "text/plain;version=", "\xff;version=1.x"],
)
def test_a_header_that_means_nothing_gets_the_text(accept):
    """Whoever may read it must not make it fail."""
    text, media_type = expose({"": {}}, accept)

    assert media_type.startswith("text/plain")
    assert b"# TYPE tocsin_" in text
