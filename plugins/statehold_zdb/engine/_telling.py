from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pluggy

from statehold_zdb.engine._core import Closed, Core
from statehold_zdb.engine._errors import ZdbError
from statehold_zdb.engine._events import ZdbHooks
from statehold_zdb.engine._namespace import Namespace
from statehold_zdb.engine._segment import Segment


class Telling:
    """Tells the plugins of an engine what happens, and asks them for what is missing.

    Args:
        plugins: what is told.
        get: returns a namespace by its name, as long as there is one.
        logger: where it tells of hooks that fail.

    """

    def __init__(
        self, plugins: Sequence[object], get: Callable[[str], Namespace | None], logger: logging.Logger
    ) -> None:
        manager = pluggy.PluginManager("statehold_zdb")
        manager.add_hookspecs(ZdbHooks)
        for plugin in plugins:
            manager.register(plugin)
        self.hooks: Final[Any] = manager.hook
        self.hears: Final = bool(plugins)
        self._get = get
        self._logger = logger
        self._lock = threading.Lock()
        self._thread: ThreadPoolExecutor | None = None

    def soon(self, event: Callable[[], object]) -> None:
        """Call hooks, one after another, on a thread that nobody waits for."""
        if not self.hears:
            return

        def tell() -> None:
            try:
                event()
            except Exception:
                self._logger.exception("a hook failed")

        with self._lock:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="zdb-hooks")
            self._thread.submit(tell)

    def finish(self) -> None:
        """Return when all has been told."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.shutdown()

    def missing(self, namespace: Core, segment: Segment) -> bool:
        """Ask for a segment that is not on this disk, and say whether it is now."""
        if Path(segment.path).exists():
            return True  # it came between the read and the question
        try:
            brought = self.hooks.zdb_missing_data(namespace=namespace.name, path=segment.path)
        except Exception:
            self._logger.exception("%s: the hook missing-data failed for %s", namespace.name, segment.path)
            return False
        return bool(brought) and Path(segment.path).exists()

    def missing_range(self, namespace: Core, segment: Segment, offset: int, size: int) -> bytes | None:
        """Ask for some bytes of such a segment; None where only all of it can be had."""
        if not self.hears:
            return None
        try:
            found: bytes | None = self.hooks.zdb_missing_range(
                namespace=namespace.name, path=segment.path, offset=offset, size=size
            )
        except ZdbError:
            raise
        except Exception:
            self._logger.exception("%s: the hook missing-range failed for %s", namespace.name, segment.path)
            return None
        return found

    def removing(self, namespace: Core, segments: Sequence[Segment]) -> None:
        """Tell of segments before they are removed."""
        if self.hears:
            self.hooks.zdb_removing(
                namespace=namespace.name, segments=[segment.number for segment in segments]
            )

    def closed(self, namespace: Core, closed: Closed) -> None:
        """Tell of a segment that was closed, soon."""
        name = namespace.name

        def tell() -> None:
            answers = self.hooks.zdb_jump_index(
                namespace=name, old=closed.old.index_path, new=closed.new.index_path, dirty=closed.dirty
            )
            found = self._get(name)
            if any(answers) and found is not None:
                for segment in found.segments():
                    if segment.number in closed.dirty:
                        segment.dirty = False
            self.hooks.zdb_jump_data(namespace=name, old=closed.old.path, new=closed.new.path)

        self.soon(tell)
