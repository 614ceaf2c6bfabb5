from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import attrs

from statehold_zstor.monitor._figures import Figures
from statehold_zstor.objects import BUCKETS, Lane, Zstor

if TYPE_CHECKING:
    from prometheus_client import Metric

_LABELS = ("address", "namespace", "backend_type")


@attrs.frozen(eq=False)
class Collector:
    """What Prometheus is told of a zstor; the names of the original where it has them."""

    _zstor: Zstor
    _figures: Figures | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics, from what is known: no backend is asked."""
        from prometheus_client.metrics_core import (  # noqa: PLC0415  only a monitor has metrics
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        world = self._zstor.world
        lanes = [(lane, "data") for lane in world.lanes.values()]
        lanes += [(lane, "meta") for lane in world.meta_lanes.values()]
        gauges: tuple[tuple[str, str, Any], ...] = (
            ("connection_status", "Whether the backend answers.", _answers),
            ("entries", "How many values it has.", lambda lane: _known(lane, "objects")),
            ("data_size_bytes", "What they take.", lambda lane: _known(lane, "used")),
            ("data_limit_bytes", "What they may take.", lambda lane: _known(lane, "limit")),
            ("data_disk_freespace_bytes", "What still fits.", lambda lane: _known(lane, "free")),
            ("zstor_backend_down_seconds", "How long it has not answered.", lambda lane: lane.down_for),
        )
        for name, text, value in gauges:
            gauge = GaugeMetricFamily(name, text, labels=_LABELS)
            for lane, kind in lanes:
                if (number := value(lane)) is not None:
                    gauge.add_metric([*_address(lane), kind], number)
            yield gauge
        errors = CounterMetricFamily(
            "zstor_backend_errors", "Calls that failed because of the backend.", labels=_LABELS
        )
        seconds = HistogramMetricFamily(
            "zstor_backend_seconds", "How long calls took that were answered.", labels=_LABELS
        )
        for lane, kind in lanes:
            errors.add_metric([*_address(lane), kind], lane.errors)
            seconds.add_metric([*_address(lane), kind], _buckets(lane), sum_value=lane.waited)
        yield errors
        yield seconds
        for command in ("store", "retrieve", "read", "rebuild", "delete"):
            finished = CounterMetricFamily(
                f"zstor_{command}_commands_finished", f"How often {command} ended.", labels=["success"]
            )
            for success in (True, False):
                finished.add_metric([str(success).lower()], self._zstor.finished[command, success])
            yield finished
        if self._figures is not None:
            yield from _of_figures(self._figures)
        mounted = world.config.zdbfs_mountpoint
        if mounted is not None:
            try:
                found = os.statvfs(mounted)
            except OSError:
                return
            yield GaugeMetricFamily(
                "fs_size_bytes", "What the filesystem may have.", found.f_blocks * found.f_frsize
            )
            yield GaugeMetricFamily(
                "fs_free_bytes", "What still fits in it.", found.f_bavail * found.f_frsize
            )


def _of_figures(figures: Figures) -> Iterator[Metric]:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415

    oldest = time.time() - figures.oldest_ticket if figures.oldest_ticket else 0.0
    for name, text, value in (
        ("zstor_objects", "Objects, when all were last looked at.", figures.objects),
        ("zstor_object_bytes", "Their bytes.", figures.bytes),
        ("zstor_underprotected_objects", "Those that lack a shard.", figures.tickets),
        ("zstor_underprotected_oldest_seconds", "How old the oldest of those is.", oldest),
        ("zstor_leftover_shards", "Replaced or deleted shards still to be deleted.", figures.leftovers),
        ("zstor_unread_metadata", "Objects whose metadata could not be read then.", figures.unread),
        ("zstor_unreadable_objects", "Objects that the last scrub could not read.", figures.unreadable),
        ("zstor_scrub_progress", "The part of objects that the scrub has seen.", figures.scrub_done),
        ("zstor_scrub_ended_time_seconds", "When the last scrub ended.", figures.scrub_ended),
        ("zstor_looked_time_seconds", "When all metadata were last looked at.", figures.looked),
    ):
        yield GaugeMetricFamily(name, text, value)
    repairs = CounterMetricFamily("zstor_repairs", "Objects that were repaired.", labels=["success"])
    repairs.add_metric(["true"], figures.repaired)
    repairs.add_metric(["false"], figures.failed)
    yield repairs
    for name, text, value in (
        ("zstor_remade_shards", "Shards that were made anew.", figures.remade),
        ("zstor_moved_shards", "Shards that were brought elsewhere.", figures.moved),
        ("zstor_mended_shards", "Shards with damage that was repaired.", figures.mended),
        ("zstor_swept_pieces", "Pieces of no object that were deleted.", figures.swept),
        ("zstor_scrubbed_bytes", "Bytes of objects whose shards were all read.", figures.scrubbed),
        ("zstor_evicted_files", "Local files deleted because they are stored.", figures.evicted),
        ("zstor_reloads", "How often the configuration was read again.", figures.reloads),
        ("zstor_refused_reloads", "How often it was wrong then.", figures.refused),
    ):
        yield CounterMetricFamily(name, text, value)


def _answers(lane: Lane) -> float:
    return float(lane.down_since is None)


def _known(lane: Lane, what: str) -> float | None:
    found = getattr(lane.known, what, None)
    return None if found is None else float(found)


def _address(lane: Lane) -> tuple[str, str]:
    """Return the address and the namespace, as the original tells them apart."""
    address, _, namespace = lane.name.partition("://")[2].partition("/")
    return (address, namespace) if lane.name.startswith("zdb://") else (lane.name, "")


def _buckets(lane: Lane) -> list[tuple[str, float]]:
    total, found = 0, []
    for bound, count in zip(BUCKETS, lane.calls, strict=True):
        total += count
        found.append(("+Inf" if bound == float("inf") else str(bound), float(total)))
    return found
