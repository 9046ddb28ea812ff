"""The metrics of the service in an application's own registry of prometheus_client, from any of its workers.

    from prometheus_client import REGISTRY
    from fastwsgi.metrics import Collector

    REGISTRY.register(Collector())

They are those of /metrics (--status-bind), and read from memory that all workers share: whichever worker answers the
scrape, they are those of the whole service, and need no files. Where fastwsgi does not serve there are none.
"""

from __future__ import annotations

from collections.abc import Iterator

try:
    from prometheus_client.core import Metric
except ImportError:
    raise ImportError("fastwsgi.metrics needs prometheus-client: pip install 'fastwsgi-server[prometheus]'") from None

from fastwsgi.originals import threading
from fastwsgi.status import here
from fastwsgi.status.families import FAMILIES, PREFIX, Family
from fastwsgi.status.metrics import buckets
from fastwsgi.status.snapshot import Histogram, Snapshot

__all__ = ["Collector"]


class Collector:
    """Gives a registry the metrics of the service that this process belongs to."""

    _lock = threading.Lock()  # of all collectors, as there is one memory that they read

    def describe(self) -> list[Metric]:
        """Their names, as registries want them, also before the service runs."""
        return [_metric(family) for family in FAMILIES]

    def collect(self) -> Iterator[Metric]:
        """Their values now; nothing if the process is not one of a service's."""
        reader = here.reader()
        if reader is not None:
            with self._lock:
                snapshot = reader.read(details=False)
            yield from (_filled(family, snapshot) for family in FAMILIES)


def _metric(family: Family) -> Metric:
    return Metric(PREFIX + family.name.removesuffix("_total"), family.help, family.kind)


def _filled(family: Family, snapshot: Snapshot) -> Metric:
    metric, name = _metric(family), PREFIX + family.name
    for labels, value in family.samples(snapshot):
        if isinstance(value, Histogram):
            for bound, count in buckets(family, value):
                metric.add_sample(f"{name}_bucket", {**labels.values, "le": bound}, count)
            metric.add_sample(f"{name}_sum", labels.values, value.total)
            metric.add_sample(f"{name}_count", labels.values, value.count)
        else:
            metric.add_sample(name, labels.values, value)
    return metric
