"""What Prometheus reads: its text format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from authsvc.observability import metrics

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# Harbor's components, each of which its scrape configurations ask for by itself; of ours all that is not theirs.
_PREFIXES = {"core": ("harbor_core_", "tidegate_"), "jobservice": ("harbor_jobservice_",)}
_ELSEWHERE = tuple(chain.from_iterable(_PREFIXES.values()))


class _These(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def text(component: str, gauges: Iterable[Metric]) -> bytes:
    """What processes have counted, and how things stand; `component`: only Harbor's core, jobservice or exporter, "" for all."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_These(list(_chosen(component, chain(metrics.families(), gauges)))))
    return generate_latest(registry)


def _chosen(component: str, families: Iterable[Metric]) -> Iterator[Metric]:
    for family in families:
        match component:
            case "core" | "jobservice":
                is_asked = family.name.startswith(_PREFIXES[component])
            case "exporter":
                is_asked = not family.name.startswith(_ELSEWHERE)
            case "":
                is_asked = True
            case _:
                is_asked = False
        if is_asked:
            yield family
