"""
What the server tells of itself in numbers: read from its parts, of all workers, as Prometheus wants them.

The parts count for themselves (``application.meters``); who may see it is ``rest.metrics``'s.
"""

from tocsin.metrics.catalogue import CATALOGUE, Metric
from tocsin.metrics.metrics import Metrics
from tocsin.metrics.reading import HistogramReading, Readings
from tocsin.metrics.sources import Sources

__all__ = ["CATALOGUE", "HistogramReading", "Metric", "Metrics", "Readings", "Sources"]
