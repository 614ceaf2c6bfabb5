from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from statehold_zos.model import DiskState, PoolInfo, PoolState

if TYPE_CHECKING:
    from prometheus_client import Metric

    from statehold_zos.node._node import Node

_POOL = ("pool", "type")


@attrs.frozen(eq=False)
class Collector:
    """What Prometheus is told of a node; `prometheus_client.REGISTRY.register` takes it."""

    _node: Node

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, as they are now."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415  only who watches a node has metrics
            CounterMetricFamily,
            GaugeMetricFamily,
        )

        pools = self._node.disks.pools()
        for name, text in (
            ("size", "What may be filled."),
            ("reserved", "What is reserved."),
            ("used", "What is in use."),
            ("free", "What may still be reserved."),
        ):
            gauge = GaugeMetricFamily(f"zos_pool_{name}_bytes", text, labels=_POOL)
            for pool in pools:
                gauge.add_metric(_labels(pool), getattr(pool, name))
            yield gauge
        spaces = GaugeMetricFamily("zos_pool_reservations", "How many there are.", labels=_POOL)
        states = GaugeMetricFamily("zos_pool_state", "1 for the state it is in.", labels=(*_POOL, "state"))
        for pool in pools:
            spaces.add_metric(_labels(pool), pool.spaces)
            for state in PoolState:
                states.add_metric((*_labels(pool), state.value), float(pool.state is state))
        yield spaces
        yield states
        disks = GaugeMetricFamily("zos_disks", "Disks that are allowed, by state.", labels=("state",))
        found = [disk.state for disk in self._node.disks.scan()]
        for each in DiskState:
            disks.add_metric((each.value,), found.count(each))
        yield disks
        namespaces = GaugeMetricFamily("zos_namespaces", "0-db namespaces, by state.", labels=("state",))
        counts: dict[str, int] = {}
        for namespace in self._node.namespaces.list():
            counts[namespace.state.value] = counts.get(namespace.state.value, 0) + 1
        for name, count in counts.items():
            namespaces.add_metric((name,), count)
        yield namespaces
        figures = self._node.figures
        events = CounterMetricFamily("zos_events", "What happened to disks and pools.", labels=("kind",))
        for kind, count in sorted(figures.events.items()):
            events.add_metric((kind,), count)
        yield events
        mended = CounterMetricFamily(
            "zos_mended", "What killed processes and others had left, and was put right.", labels=("what",)
        )
        for what, count in sorted(figures.mended.items()):
            mended.add_metric((what,), count)
        yield mended
        wrong = GaugeMetricFamily("zos_wrong", "What is not as it should be.", labels=("what",))
        for what, names in sorted(figures.wrong.items()):
            wrong.add_metric((what,), len(names))
        yield wrong
        yield CounterMetricFamily("zos_looks", "How often all was looked at.", figures.looks)
        yield CounterMetricFamily("zos_failed_looks", "How often that failed.", figures.failed)
        yield GaugeMetricFamily("zos_looked_time_seconds", "When all was last looked at.", figures.looked)


def _labels(pool: PoolInfo) -> tuple[str, str]:
    return pool.id, pool.type.value
