from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from statehold.sdk import StateholdError
from statehold_zstor.config import Config
from statehold_zstor.monitor._evicting import evict
from statehold_zstor.monitor._figures import Figures
from statehold_zstor.monitor._metrics import Collector
from statehold_zstor.monitor._pace import Pace, StoppedError
from statehold_zstor.monitor._repairing import Repairs
from statehold_zstor.monitor._scrubbing import Scrub
from statehold_zstor.objects import Zstor

_FIRST_REST, _LONGEST_REST = 1.0, 60.0
_LOOK_EVERY: Final = 60.0
_SWEEP_EVERY: Final = 86_400.0
_REFRESH_EVERY: Final = 3_600.0
_MOST_TICKS: Final = 1.0


class Monitor:
    """Watches the backends of a zstor, and keeps its objects whole.

    Every `health` seconds it asks the backends how they are. Every `repair` seconds, and when a backend
    comes or goes, it looks at all metadata and repairs what lacks a shard. Every `scrub` seconds it reads
    every shard, and repairs what is damaged. What fails is tried again, later each time.

    Args:
        zstor: whose objects.
        source: the file of its configuration, which is read again when it changes.
        logger: is told what is done.

    """

    def __init__(
        self, zstor: Zstor, *, source: Path | None = None, logger: logging.Logger | None = None
    ) -> None:
        self.figures = Figures()
        self.collector = Collector(zstor, self.figures)
        self._zstor = zstor
        self._source = source
        self._log = logger or logging.getLogger(__name__)
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._reload = threading.Event()
        self._meta_anew = True
        self._repairs = Repairs(zstor, self.figures, self._log)
        self._stamp = _stamp(source) if source is not None else None
        self._next_sweep = time.monotonic()
        self._next_refresh = self._next_sweep
        self._scrubbed = float("-inf")
        self._known: dict[int, tuple[int, bool, bool]] = {}
        self._lacking = 0
        self._failures = 0
        self._threads: list[threading.Thread] = []
        self._server: Callable[[], None] = lambda: None
        self.port: int | None = None

    def start(self) -> None:
        """Begin, on threads of its own; OSError where the port of the metrics is taken."""
        port = self._zstor.world.config.prometheus_port
        if port is not None:
            self._serve(port)
        self._threads = [
            threading.Thread(target=self._again, args=(name, work), name=f"zstor-{name}", daemon=True)
            for name, work in (
                ("health", self._health),
                ("repair", self._repair),
                ("scrub", self._scrub),
                ("evict", self._evict),
                ("reload", self._watch),
            )
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; what runs stops at its next block, and what it did until then stays."""
        self._stop.set()
        self._wake.set()
        self._reload.set()
        for thread in self._threads:
            thread.join()
        self._server()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is stopped; return whether it is."""
        return self._stop.wait(timeout)

    def stop_soon(self) -> None:
        """Let `wait` return; for handlers of signals."""
        self._stop.set()

    def reload_soon(self) -> None:
        """Read the configuration again; for handlers of signals."""
        self._reload.set()

    def repair_soon(self) -> None:
        """Look at all metadata now."""
        self._wake.set()

    def _again(self, name: str, work: Callable[[], float]) -> None:
        """Do *work* again and again, as many seconds apart as it says; later each time that it fails."""
        rest = _FIRST_REST
        while not self._stop.is_set():
            try:
                pause = work()
                rest = _FIRST_REST
            except StoppedError:
                return
            except (StateholdError, OSError) as error:
                self._log.warning("%s: %s; again in %.0f s", name, error, rest)
                pause, rest = rest, min(rest * 2, _LONGEST_REST)
            except Exception:  # noqa: BLE001  no defect in one of them may end the others
                self._log.exception("%s: this is a defect; again in %.0f s", name, rest)
                pause, rest = rest, min(rest * 2, _LONGEST_REST)
            if self._stop.is_set():
                return  # What it is woken by may have been cleared by *work* just before.
            woken = {"repair": self._wake, "reload": self._reload}.get(name, self._stop)
            woken.wait(pause)

    def _health(self) -> float:
        world = self._zstor.world
        lanes = (*world.lanes.values(), *world.meta_lanes.values())
        for seen in [lane.look() for lane in lanes]:
            seen()
        before, self._known = self._known, {}
        for lane in lanes:
            errors = lane.errors
            down, lost = lane.down_since is not None, self._repairs.is_lost(lane)
            self._known[id(lane)] = errors, down, lost
            knew, was_down, was_lost = before.get(id(lane), (0, False, False))
            if down and not was_down:
                problem = lane.problem.removeprefix(f"{lane.name}: ")
                self._log.warning("%s does not answer: %s", lane.name, problem)
            elif was_down and not down:
                self._log.warning("%s answers again", lane.name)
            # It may have been away between two looks, too.
            if lost != was_lost or ((was_down or errors > knew) and not down):
                # Metadata may be missing where it was away.
                self._meta_anew = self._meta_anew or lane.name in world.meta_lanes
                self._wake.set()
        lacking = self._zstor.lacking
        if lacking != self._lacking and not any(lane.down_since is not None for lane in lanes):
            # What was on its way when a backend came back was not seen by the repair then.
            self._lacking = lacking
            self._meta_anew = True
            self._wake.set()
        return world.config.monitor.health

    def _repair(self) -> float:
        self._wake.clear()
        world = self._zstor.world
        pace = Pace(self._stop)
        if self._meta_anew or time.monotonic() >= self._next_refresh:
            self._meta_anew = False
            try:
                refreshed = world.metadata.refresh_all(lambda _: pace(0))
            except BaseException:
                self._meta_anew = True
                raise
            self._next_refresh = time.monotonic() + _REFRESH_EVERY
            if refreshed.repaired:
                self._log.info("the metadata of %d objects are on all backends again", refreshed.repaired)
            for key, problem in refreshed.failed.items():
                self._meta_anew = True
                self._log.warning("the metadata of %r: %s", key, problem)
        well = self._repairs.run(pace)
        period = world.config.monitor.repair
        if time.monotonic() >= self._next_sweep:
            # Where it fails it is tried again, though not with every repair: it lists all that there is.
            self._next_sweep = time.monotonic() + _REFRESH_EVERY
            swept = self._zstor.sweep()
            self._next_sweep = time.monotonic() + _SWEEP_EVERY
            self.figures.add(swept=swept)
            if swept:
                self._log.info("%d pieces of writings that came to no end are deleted", swept)
        # What cannot be repaired perhaps can soon: a backend that has just come back rests a moment longer.
        self._failures = 0 if well else self._failures + 1
        return period if well else min(period, _FIRST_REST * 2 ** min(self._failures - 1, 6), _LONGEST_REST)

    def _scrub(self) -> float:
        monitor = self._zstor.world.config.monitor
        due = self._scrubbed + monitor.scrub - time.monotonic()
        if monitor.scrub and due <= 0:
            begun = time.monotonic()
            Scrub(self._zstor, self.figures, self._log).run(Pace(self._stop, monitor.scrub_rate))
            self._scrubbed = begun
            self.figures.scrub_ended = time.time()
            return _FIRST_REST
        # How often may be another by then.
        return min(due, _LOOK_EVERY) if monitor.scrub else _LOOK_EVERY

    def _evict(self) -> float:
        self.figures.add(evicted=evict(self._zstor, self._log))
        return _LOOK_EVERY

    def _watch(self) -> float:
        """Read the configuration again if it was asked for, or its file is another one."""
        if self._source is None:
            self._reload.clear()
            return _MOST_TICKS
        asked = self._reload.is_set()
        self._reload.clear()
        stamp = _stamp(self._source)
        if asked or stamp != self._stamp:
            self._stamp = stamp
            self._load(self._source)
        return _MOST_TICKS

    def _load(self, source: Path) -> None:
        try:
            config = Config.read(source)
            before = self._zstor.world
            if config == before.config:
                return
            self._zstor.reload(config)
        except StateholdError as error:
            self._log.error("the configuration before stays in use: %s", error)
            self.figures.add(refused=1)
            return
        self._log.info("the configuration was read again")
        self.figures.add(reloads=1)
        self._meta_anew = self._meta_anew or config.meta != before.config.meta
        self._wake.set()

    def _serve(self, port: int) -> None:
        from prometheus_client import CollectorRegistry, start_http_server  # noqa: PLC0415  where it is asked for

        registry = CollectorRegistry()
        registry.register(self.collector)
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
        self.port = server.server_port

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._server = stop


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what differs where a file was changed or replaced."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
