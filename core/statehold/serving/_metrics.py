from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import zip_longest

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
from statehold.state import LATENCIES


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
        yield from self._engines()
        yield from self._storages()
        yield from self._shares()
        yield from self._sidecars()
        yield self._quarantine()

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
            seconds.add_metric(labels, _cumulated(BUCKETS, times.buckets), times.seconds)
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
        labels = ("app", "version", "storage", "operation", "scope", "user")
        calls = CounterMetricFamily("statehold_storage_calls", "Calls that reached a storage.", labels=labels)
        denied = CounterMetricFamily(
            "statehold_storage_denied", "Calls that the declaration does not permit.", labels=labels
        )
        seconds = HistogramMetricFamily(
            "statehold_storage_seconds",
            "How long reading from a storage took, and applying a batch of changes.",
            labels=labels,
        )
        for version in self._versions():
            scopes = {str(one.name): one.kind.scope for one in version.appdef.extensions.values()}
            for (storage, user, operation), figures in _figures(version).items():
                scope = str(scopes.get(user) or user)
                place = (version.app, version.name, storage, operation, scope, user)
                calls.add_metric(place, figures.reached)
                denied.add_metric(place, figures.refused)
                if any(figures.buckets):
                    seconds.add_metric(place, _cumulated(LATENCIES, figures.buckets), figures.seconds)
        yield from (calls, denied, seconds)

    def _engines(self) -> Iterator[Metric]:
        labels = ("app", "version", "partition", "engine", "scope")
        size = GaugeMetricFamily("statehold_engines", "Calls that may run at once.", labels=labels)
        busy = GaugeMetricFamily("statehold_engines_busy", "Calls that run.", labels=labels)
        waiting = GaugeMetricFamily(
            "statehold_engines_waiting", "Calls that wait for an engine.", labels=labels
        )
        for version in self._versions():
            for partition in version.partitions:
                for (engine, scope), pool in partition.pools.items():
                    place = (version.app, version.name, str(partition.number), engine, str(scope))
                    size.add_metric(place, pool.size)
                    busy.add_metric(place, pool.in_use)
                    waiting.add_metric(place, pool.waiting)
        yield from (size, busy, waiting)

    def _shares(self) -> Iterator[Metric]:
        labels = ("app", "version", "state")
        share = GaugeMetricFamily(
            "statehold_version_share",
            "The part of an app's partitions whose calls an open version answers, from 0 to 1.",
            labels=labels,
        )
        calls = CounterMetricFamily(
            "statehold_version_calls",
            "Calls that a version has answered since it was opened.",
            labels=labels[:2],
        )
        failures = CounterMetricFamily(
            "statehold_version_failures",
            "Those that it is to blame for, because they failed.",
            labels=labels[:2],
        )
        for status in self._host.apps():
            opened = {version.name: version for version in self._open(status.app)}
            for one in status.versions:
                if one.is_open:
                    labelled = (status.app, one.version, one.role)
                    share.add_metric(labelled, one.answers / one.partitions if one.partitions else 0.0)
                    version = opened.get(one.version)
                    outcomes = [] if version is None else [each.outcomes for each in version.partitions]
                    calls.add_metric(labelled[:2], sum(each.calls for each in outcomes))
                    failures.add_metric(labelled[:2], sum(each.failures for each in outcomes))
        yield from (share, calls, failures)

    def _sidecars(self) -> Iterator[Metric]:
        labels = ("app", "version", "plugin")
        running = GaugeMetricFamily(
            "statehold_sidecars", "Processes of a plugin in sidecars that run.", labels=labels
        )
        restarts = CounterMetricFamily(
            "statehold_sidecar_restarts", "How often one of them was started again.", labels=labels
        )
        broken = GaugeMetricFamily(
            "statehold_sidecar_broken",
            "Those that have failed so often that they are left alone for a while.",
            labels=labels,
        )
        for version in self._versions():
            statuses = version.sidecars
            for plugin in dict.fromkeys(one.plugin for one in statuses):
                place = (version.app, version.name, plugin)
                # More than one where storages of it have limits of their own.
                found = [one for one in statuses if one.plugin == plugin]
                running.add_metric(place, sum(one.running for one in found))
                restarts.add_metric(place, sum(one.restarts for one in found))
                broken.add_metric(place, sum(one.broken for one in found))
        yield from (running, restarts, broken)

    def _quarantine(self) -> Metric:
        held = GaugeMetricFamily(
            "statehold_quarantined",
            "Plugins that leaked when they were freed, and run in a sidecar from their next load on.",
            labels=("app", "distribution"),
        )
        for leaking in self._host.quarantine.listed():
            held.add_metric((leaking.app, leaking.distribution), 1)
        return held

    def _versions(self) -> Iterator[AppVersion]:
        for status in self._host.apps():
            yield from self._open(status.app)

    def _open(self, app: str) -> tuple[AppVersion, ...]:
        try:
            return self._host.app(app).versions
        except HostError:
            return ()  # Deployed, and not running: readiness says so.


@attrs.define(eq=False)
class _Figures:
    """What one user did with one operation of a storage, in all partitions of a version."""

    reached: int = 0
    refused: int = 0
    seconds: float = 0.0
    buckets: Sequence[int] = ()


def _figures(version: AppVersion) -> dict[tuple[str, str, str], _Figures]:
    found: dict[tuple[str, str, str], _Figures] = {}
    for partition in version.partitions:
        for (storage, user), counts in list(partition.counts.items()):
            if unnamed := counts.denied(None):
                found.setdefault((storage, user, ""), _Figures()).refused += unnamed
            for operation in Operation:
                reached, refused = counts.calls(operation), counts.denied(operation)
                if reached or refused:
                    figures = found.setdefault((storage, user, operation.value), _Figures())
                    figures.reached += reached
                    figures.refused += refused
                    if operation in counts.timed:
                        latency = counts.latency(operation)
                        figures.seconds += latency.seconds
                        figures.buckets = [
                            before + more
                            for before, more in zip_longest(figures.buckets, latency.buckets, fillvalue=0)
                        ]
    return found


def _cumulated(bounds: Sequence[float], buckets: Sequence[int]) -> list[tuple[str, float]]:
    total = 0
    found = []
    for bound, count in zip((*map(str, bounds), "+Inf"), buckets, strict=True):
        total += count
        found.append((bound, float(total)))
    return found
