from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from statehold.hosting import AppVersion, Host
from statehold.processing import Runtime
from statehold.sdk import HostError, Operation
from statehold.serving._meter import BUCKETS, Counting, Times
from statehold.serving._pool import Pool


@attrs.frozen(eq=False)
class _Described:
    """How a kind of what is counted is told: its name, its labels, and what is counted beside the times."""

    kind: str
    name: str
    text: str
    labels: tuple[str, ...]
    more: str = ""


_HISTOGRAMS = (
    _Described("command", "statehold_command", "commands", ("app", "command", "status")),
    _Described("query", "statehold_query", "queries", ("app", "query", "status"), "results"),
    _Described("batch", "statehold_commit", "commits of a partition", ("app", "partition"), "commands"),
    _Described(
        "projector",
        "statehold_projector",
        "runs of a projector over events",
        ("app", "partition", "projector", "outcome"),
        "events",
    ),
    _Described("job", "statehold_job", "runs of a job", ("app", "job", "workspace", "outcome")),
)


class Metrics:
    """Tells Prometheus what host, runtime and server do; nothing is computed until it asks."""

    def __init__(self, host: Host, runtime: Runtime, meter: Counting, pools: Iterable[Pool]) -> None:
        self._host = host
        self._runtime = runtime
        self._meter = meter
        self._pools = tuple(pools)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return the figures as Prometheus reads them."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield every figure; the registry calls it."""
        for described in _HISTOGRAMS:
            yield from self._histogram(described)
        yield self._counter(
            "statehold_denied", "requests that were refused", ("app", "name", "reason"), "denied"
        )
        yield self._counter(
            "statehold_job_missed",
            "runs of a job that were missed",
            ("app", "job", "workspace"),
            "missed",
            value=lambda times: times.more,
        )
        yield from self._lags()
        yield from self._threads()
        yield from self._storages()

    def _histogram(self, described: _Described) -> Iterator[Metric]:
        seconds = HistogramMetricFamily(
            f"{described.name}_seconds", f"How long {described.text} took.", labels=described.labels
        )
        more = CounterMetricFamily(
            f"{described.name}_{described.more}",
            f"How many {described.more} {described.text} had.",
            labels=described.labels,
        )
        for labels, times in self._meter.read(described.kind):
            seconds.add_metric(labels, _cumulated(times), times.seconds)
            more.add_metric(labels, times.more)
        yield seconds
        if described.more:
            yield more

    def _counter(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        kind: str,
        *,
        value: Callable[[Times], int] = lambda times: times.count,
    ) -> Metric:
        family = CounterMetricFamily(name, f"How many {text}.", labels=labels)
        for found, times in self._meter.read(kind):
            family.add_metric(found, value(times))
        return family

    def _lags(self) -> Iterator[Metric]:
        labels = ("app", "partition", "projector")
        events = GaugeMetricFamily(
            "statehold_projector_lag_events", "Events that a projector has not seen.", labels=labels
        )
        seconds = GaugeMetricFamily(
            "statehold_projector_lag_seconds",
            "How long ago the first event was logged that a projector has not seen.",
            labels=labels,
        )
        failures = GaugeMetricFamily(
            "statehold_projector_failures", "How often a projector has failed in a row.", labels=labels
        )
        for lag in self._runtime.lags():
            place = (lag.app, str(lag.partition), lag.projector)
            events.add_metric(place, lag.events)
            seconds.add_metric(place, lag.seconds)
            failures.add_metric(place, lag.attempts)
        yield from (events, seconds, failures)

    def _threads(self) -> Iterator[Metric]:
        threads = GaugeMetricFamily("statehold_pool_threads", "Threads a pool may have.", labels=("pool",))
        busy = GaugeMetricFamily("statehold_pool_busy", "Threads of a pool at work.", labels=("pool",))
        waiting = GaugeMetricFamily(
            "statehold_pool_waiting", "Calls that no thread has taken up yet.", labels=("pool",)
        )
        for pool in self._pools:
            threads.add_metric((pool.name,), pool.threads)
            busy.add_metric((pool.name,), pool.busy)
            waiting.add_metric((pool.name,), pool.waiting)
        yield from (threads, busy, waiting)

    def _storages(self) -> Iterator[Metric]:
        labels = ("app", "version", "storage", "operation", "user")
        calls = CounterMetricFamily("statehold_storage_calls", "Calls that reached a storage.", labels=labels)
        denied = CounterMetricFamily(
            "statehold_storage_denied", "Calls that the declaration does not permit.", labels=labels
        )
        for version in self._versions():
            for (storage, user, operation), (reached, refused) in _counts(version).items():
                place = (version.app, version.name, storage, operation, user)
                calls.add_metric(place, reached)
                denied.add_metric(place, refused)
        yield from (calls, denied)

    def _versions(self) -> Iterator[AppVersion]:
        for status in self._host.apps():
            try:
                yield from self._host.app(status.app).versions
            except HostError:
                continue  # Deployed, and not running: readiness says so.


def _counts(version: AppVersion) -> dict[tuple[str, str, str], tuple[int, int]]:
    found: dict[tuple[str, str, str], tuple[int, int]] = {}
    for partition in version.partitions:
        for (storage, user), counts in list(partition.counts.items()):
            for operation in Operation:
                reached, refused = counts.calls(operation), counts.denied(operation)
                if reached or refused:
                    place = (storage, user, operation.value)
                    before = found.get(place, (0, 0))
                    found[place] = (before[0] + reached, before[1] + refused)
    return found


def _cumulated(times: Times) -> list[tuple[str, float]]:
    total = 0
    found = []
    for bound, count in zip((*map(str, BUCKETS), "+Inf"), times.buckets, strict=True):
        total += count
        found.append((bound, float(total)))
    return found
