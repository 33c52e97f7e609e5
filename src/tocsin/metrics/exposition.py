"""Readings as text: what Prometheus scrapes, of one process or of several."""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from tocsin.metrics.catalogue import CATALOGUE, Kind, Metric
from tocsin.metrics.reading import HistogramReading, Readings

_FAMILIES: Mapping[Kind, type[CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


def read_process() -> Readings:
    """Return what the system knows of this process; nothing where there is no ``/proc``."""
    return {
        sample.name: {(): sample.value}
        for family in ProcessCollector(registry=None).collect()
        for sample in family.samples
    }


def expose(readings: Mapping[str, Readings], accept: str) -> tuple[bytes, str]:
    """
    Return the text and its media type.

    Args:
        readings: By worker; of a process that is alone under the empty name, and then there is no label for it.
        accept: As the scraper's header says; OpenMetrics if that is asked for.
    """
    try:
        encode, media_type = choose_encoder(accept)
    except (TypeError, ValueError):  # a version that is none
        encode, media_type = choose_encoder("")
    return encode(_Collected(readings)), media_type


class _Collected(Collector):
    """Stands for a registry: all that an encoder asks of one is to collect."""

    def __init__(self, readings: Mapping[str, Readings]) -> None:
        self._readings = readings

    def collect(self) -> Iterator[Family]:
        is_alone = set(self._readings) == {""}
        for metric in (*CATALOGUE, *_process_metrics(self._readings.values())):
            family = _FAMILIES[metric.kind](
                metric.name.removesuffix("_total"),
                metric.text,
                labels=metric.labels if is_alone else ("worker", *metric.labels),
            )
            for worker, readings in self._readings.items():
                for labels, value in readings.get(metric.name, {}).items():
                    _add(family, labels if is_alone else (worker, *labels), value)
            yield family


def _process_metrics(readings: Iterable[Readings]) -> list[Metric]:
    names = sorted({name for one in readings for name in one if name.startswith("process_")})
    return [
        Metric(name, "counter" if name.endswith("_total") else "gauge", f"{name.replace('_', ' ').capitalize()}.")
        for name in names
    ]


def _add(family: Family, labels: tuple[str, ...], value: float | HistogramReading) -> None:
    if isinstance(family, HistogramMetricFamily):
        assert isinstance(value, HistogramReading)
        buckets, below = [], 0
        for bound, count in zip((*value.bounds, float("inf")), value.counts, strict=True):
            below += count
            buckets.append(("+Inf" if bound == float("inf") else str(float(bound)), below))
        family.add_metric(labels, buckets, value.total)
    elif isinstance(family, CounterMetricFamily | GaugeMetricFamily):
        assert not isinstance(value, HistogramReading)
        family.add_metric(labels, value)
