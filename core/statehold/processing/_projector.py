from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from statehold.events import Event, LogError
from statehold.processing._bundle import FAR, Bundle
from statehold.processing._kit import Kit
from statehold.processing._timer import Alarm
from statehold.processing._work import Bench
from statehold.rows import RowStoreError
from statehold.sdk import StateholdError

if TYPE_CHECKING:
    from statehold.processing._slice import Slice


class Projector:
    """One asynchronous projector in one partition: woken by events, it goes on until it has seen them all.

    It runs on a thread of its own workers, one at a time, and holds up nobody. When it fails, it tries the
    same event again after a while, longer each time; another version of the app is tried at once. One that
    is new in a version begins with the first event there ever was, so that its view is filled. One that is
    stopped may still be at an event: when it goes on, it does so after that.

    Attributes:
        name: its qualified name.
        offset: the last event it has seen, in the log of the partition; None until it has begun.
        written: the offset as it stands in the row store.
        problem: why it does not go on, empty if it does.
        attempts: how often it has failed in a row.

    """

    def __init__(self, slice_: Slice, name: str, kit: Kit, *, moved: Callable[[], None]) -> None:
        self.name = name
        self.offset: int | None = None
        self.written = 0
        self.problem = ""
        self.attempts = 0
        self._slice = slice_
        self._kit = kit
        self._moved = moved
        self._lock = threading.Lock()
        self._is_busy = self._again = self._is_stopped = False
        self._retry: Alarm | None = None

    def go_on(self) -> None:
        """Let it run, if it was stopped, and look at the log at once."""
        with self._lock:
            self._is_stopped = False
        self.wake(at_once=True)

    def wake(self, *, at_once: bool = False) -> None:
        """Let it look at the log soon; one that waits to try again waits on, unless *at_once*."""
        with self._lock:
            if self._is_stopped:
                return
            if self._retry is not None:
                if not at_once:
                    return
                self._retry.cancel()
                self._retry = None
            if self._is_busy:
                self._again = True
                return
            self._is_busy = True
        self._kit.workers.submit(self._run)

    def passed(self, before: int, event: Event) -> bool:
        """Take it that it has seen an event that does not wake it, unless it has to look for itself."""
        with self._lock:
            if self._is_busy or self.offset != before or before - self.written >= FAR:
                return self._retry is not None
            self.offset = event.offset
            return True

    def stop(self) -> None:
        """Let it end at the next event, and not go on before it is told to."""
        with self._lock:
            self._is_stopped = True
            if self._retry is not None:
                self._retry.cancel()
                self._retry = None

    @property
    def is_stopped(self) -> bool:
        """Whether it has been stopped; it may still be at an event."""
        return self._is_stopped

    @property
    def is_busy(self) -> bool:
        """Whether it is running, or about to."""
        return self._is_busy

    def _run(self) -> None:
        began, bundle, ok = time.perf_counter(), None, True
        more = unsure = False
        try:
            with self._slice.borrow() as bench:
                if self.name in bench.parts.projectors and not self._is_stopped:
                    bundle = self._bundle(bench)
                    more = bundle.run()
        except Exception as error:  # noqa: BLE001 - whatever it raises, it is tried again
            ok = False
            unsure = isinstance(error, (LogError, RowStoreError))
            self._failed(error)
        finally:
            if bundle is not None:
                self.written = bundle.written
                # What was to be written may have been, or another one has: only the store knows.
                self.offset = None if unsure else bundle.safe
                self._tell(bundle, time.perf_counter() - began, ok=ok)
            self._end(more=more, ok=ok)

    def _bundle(self, bench: Bench) -> Bundle:
        if self.offset is None:
            self.written = bench.partition.data.reader(bench.parts.schemas).projector_offset(self.name)
            self.offset = self.written
        return Bundle(
            bench,
            bench.partition.extension(self.name),
            self.name,
            at=self.offset,
            written=self.written,
            stopping=lambda: self._is_stopped,
        )

    def _end(self, *, more: bool, ok: bool) -> None:
        with self._lock:
            if ok:
                self.problem, self.attempts = "", 0
            again = (more or self._again) and not self._is_stopped and self._retry is None
            self._again = False
            self._is_busy = again
        if again:
            self._kit.workers.submit(self._run)
        self._moved()

    def _failed(self, error: Exception) -> None:
        said = str(error) if isinstance(error, StateholdError) else f"{type(error).__name__}: {error}"
        pause = self._kit.settings.pause(self.attempts)
        self._kit.logger.warning(
            "PROJECTOR %s in %s failed %d times in a row, tries again in %.3g s: %s",
            self.name,
            self._slice.where,
            self.attempts + 1,
            pause,
            said,
        )
        with self._lock:
            self.problem = said
            self.attempts += 1
            if not self._is_stopped:
                self._retry = self._kit.timer.after(pause, self._try_again)

    def _try_again(self) -> None:
        with self._lock:
            self._retry = None
        self.wake()

    def _tell(self, bundle: Bundle, seconds: float, *, ok: bool) -> None:
        if bundle.events or not ok:
            self._kit.meter.projector(
                self._slice.app, self._slice.number, self.name, bundle.events, seconds, ok=ok
            )
