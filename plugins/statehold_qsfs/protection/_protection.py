from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self

import attrs

from statehold_qsfs.protection._backoff import Backoff, told
from statehold_qsfs.protection._care import Care
from statehold_qsfs.protection._claim import Claim, read_head, take
from statehold_qsfs.protection._divergence import check_past, check_store
from statehold_qsfs.protection._errors import BarrierError, FencedError, ProtectionError
from statehold_qsfs.protection._eviction import Eviction, sizes_of
from statehold_qsfs.protection._fetching import Fetching
from statehold_qsfs.protection._figures import Figures
from statehold_qsfs.protection._local import hold, new_owner, owner_of
from statehold_qsfs.protection._publisher import Publisher
from statehold_qsfs.protection._removals import Removals
from statehold_qsfs.protection._state import Kept, State
from statehold_qsfs.protection._store import Store
from statehold_zdb.engine import Engine, Part, ZdbError

_WORKERS: Final = 3


@attrs.frozen(kw_only=True)
class ProtectionOptions:
    """How what a machine has is kept elsewhere.

    Attributes:
        prefix: what the names of all objects begin with; filesystems that share a store have one each.
        window: the seconds of writes that are lost with the machine at most, while the store answers; a
            fifth of it lies between two cuts.
        limit: the bytes that the data may take here; 0 for no limit.
        evict_last: the namespaces that are evicted when nothing else is left to be.
        timeout: how long a barrier waits.

    """

    prefix: str = "qsfs"
    window: float = 10.0
    limit: int = 0
    evict_last: frozenset[str] = frozenset()
    timeout: float = 60.0


@attrs.define(eq=False)
class Protection:
    """Keeps what an engine has in a store, too, so that it outlives the machine; evicts what the store has.

    To be made before the engine, as which it knows what is in the store: `plugin` is one of the engine's.
    Then `start`, and in the end `drain` and `close`, before the engine is closed.

    Everything that is sent is found by comparing what the engine has with what the store has: a `kill -9`
    leaves nothing that would be forgotten, and what was sent is not sent again. A cut of all namespaces comes
    into the store as a whole or not at all.

    Args:
        store: where it is kept.
        folder: where the engine's folders are; it gets a name, by which the store knows it.
        options: how.
        logger: where it tells what an operator should know.
        on_fenced: is called once, when another machine has taken over.

    Raises:
        FencedError: another machine has taken over.
        StoreError: the store does not answer.
        ProtectionError: the folder is not this store's.

    """

    store: Store
    folder: Path
    options: ProtectionOptions = ProtectionOptions()
    logger: logging.Logger = attrs.field(factory=lambda: logging.getLogger("statehold_qsfs"))
    on_fenced: Callable[[FencedError], None] = lambda _: None
    plugin: Fetching = attrs.field(init=False)
    _held: int = attrs.field(init=False)
    _claim: Claim = attrs.field(init=False)
    _state: State = attrs.field(init=False)
    _publisher: Publisher | None = attrs.field(default=None, init=False)
    _eviction: Eviction | None = attrs.field(default=None, init=False)
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False)
    _turn: threading.Condition = attrs.field(factory=threading.Condition, init=False)
    _asked: bool = attrs.field(default=False, init=False)
    _begun: int = attrs.field(default=0, init=False)
    _finished: int = attrs.field(default=0, init=False)
    _covered_at: float = attrs.field(factory=time.monotonic, init=False)
    _late: bool = attrs.field(default=False, init=False)
    _fenced: FencedError | None = attrs.field(default=None, init=False)
    _ended: threading.Event = attrs.field(factory=threading.Event, init=False)
    _backoff: Backoff = attrs.field(factory=Backoff, init=False)
    _problem: str = attrs.field(default="", init=False)
    _care: Care | None = attrs.field(default=None, init=False)
    _threads: list[threading.Thread] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._held = hold(self.folder)
        try:
            self._claim = take(self.store, self.options.prefix, self._owner(), over=False)
            self._state = self._claim.load()
        except BaseException:
            os.close(self._held)
            raise
        removals = Removals(self.folder / "removed")
        self.plugin = Fetching(self.store, self.kept, removals, self._state, logger=self.logger)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, engine: Engine) -> None:
        """Begin to protect *engine*; the store is known to take what it is given when this returns.

        Raises:
            DivergedError: the store has what the engine never had.
            ProtectionError: the store has nothing of what only it should have.
            StoreError: the store does not take anything.

        """
        check_store(engine.cut(), self._state)
        check_past(engine.cut(), self.kept)
        self.plugin.removals.trim(self._state)
        self.plugin.known = lambda name, number: _is_known(engine, name, number)
        pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="qsfs-send")
        self._publisher = Publisher(
            engine, self._claim, self._state, self._lock, pool, self.logger, self._ended
        )
        limit, last = self.options.limit, self.options.evict_last
        self._eviction = Eviction(engine, self.store, self.kept, limit, last, self.logger)
        care = Care(self._publisher, self._eviction, self.plugin, self.kept, self._ended, self.logger)
        try:
            self._publisher.write_base()
        except BaseException:
            pool.shutdown()
            raise
        self._care = care
        every = min(1.0, self.options.window / 5)
        for run in (self._run, lambda: care.run(every)):
            thread = threading.Thread(target=run, name="qsfs-protection", daemon=True)
            self._threads.append(thread)
            thread.start()

    def kept(self, namespace: str, number: int) -> Kept | None:
        """Return what the store has of a segment; None if nothing."""
        with self._lock:
            area = self._state.areas.get(namespace)
            return area.parts.get(number) if area is not None else None

    def barrier(self, timeout: float | None = None) -> None:
        """Return when the store has all that was written until now; one cut does for all who wait.

        Args:
            timeout: how long to wait, in seconds; the options' if None.

        Raises:
            FencedError: another machine has taken over.
            BarrierError: the store did not take it in time.

        """
        end = time.monotonic() + (self.options.timeout if timeout is None else timeout)
        with self._turn:
            wanted = self._begun + 1  # one that is under way may not have what was written last
            self._asked = True
            self._turn.notify_all()
            while self._finished < wanted:
                if self._fenced is not None:
                    raise FencedError(self._fenced.message, hint=self._fenced.hint)
                if self._ended.is_set() or not self._threads:
                    raise BarrierError("nothing is sent any more: the filesystem was closed")
                if not self._turn.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    raise BarrierError(
                        f"the store did not take what was written: {self._problem or 'it takes its time'}",
                        hint="It is on this disk, and is sent as soon as that can be",
                    )

    def drain(
        self, progress: Callable[[Figures], None] = lambda _: None, give_up: threading.Event | None = None
    ) -> Figures:
        """Wait until the store has everything, and return how it is then.

        Args:
            progress: is called a few times a second with what still waits.
            give_up: when set, it returns at once; what still waits is sent after the next start.

        """
        publisher = self._publisher
        give_up = give_up or threading.Event()
        with self._turn:
            wanted = self._begun + 1
            self._asked = True
            self._turn.notify_all()
        while publisher is not None and self._fenced is None and not give_up.is_set():
            progress(self.figures())
            with self._turn:
                if self._finished >= wanted or self._ended.is_set():
                    break
                self._turn.wait(0.2)
        found = self.figures()
        progress(found)
        return found

    def close(self) -> None:
        """Stop sending, at once; a second time does nothing."""
        self._ended.set()
        with self._turn:
            self._turn.notify_all()
        publisher, threads = self._publisher, self._threads
        if publisher is not None:
            publisher.pool.shutdown()
        for thread in threads:
            thread.join()
        self._threads = []
        held, self._held = self._held, -1
        if held >= 0:
            os.close(held)

    def figures(self) -> Figures:
        """Return how well what is here is protected."""
        publisher, eviction = self._publisher, self._eviction
        pending = segments = unsealed = evicted = local = 0
        changed = False
        if publisher is not None:
            with contextlib.suppress(ZdbError):
                changed = publisher.revision() != publisher.published
                for name, cut in publisher.engine.cut().items():
                    sizes = sizes_of(publisher.engine[name])
                    local += sum(sizes.values())
                    for part in cut.parts:
                        left = self._left(name, part)
                        pending += left
                        segments += bool(left)
                        kept = self.kept(name, part.number)
                        unsealed += part is not cut.parts[-1] and (kept is None or kept.whole is None)
                        evicted += part.number not in sizes
        return Figures(
            pending_bytes=pending,
            pending_segments=segments,
            oldest_seconds=time.monotonic() - self._covered_at if changed else 0.0,
            unsealed=unsealed,
            sent_bytes=publisher.sent if publisher is not None else 0,
            brought_bytes=self.plugin.brought,
            local_bytes=local,
            limit_bytes=self.options.limit,
            evicted=evicted,
            evictions=eviction.evictions if eviction is not None else 0,
            epoch=self._claim.head.epoch,
            last=self._state.taken,
            failures=self._backoff.failures,
            problem=self._problem or (self._care.problem if self._care is not None else ""),
            fenced=self._fenced is not None,
        )

    # Inside

    def _owner(self) -> str:
        owner = owner_of(self.folder)
        if owner:
            return owner
        head = read_head(self.store, self.options.prefix)
        if head is not None:
            raise ProtectionError(
                f"the store has a filesystem of {head.host}, and {self.folder} has none",
                hint="Restore it into this folder, or use another prefix",
            )
        return new_owner(self.folder)

    def _left(self, name: str, part: Part) -> int:
        """Return how many bytes of a segment the store does not have."""
        kept = self.kept(name, part.number)
        if kept is None or kept.salt != part.salt:
            return part.end
        return 0 if kept.covers(part) else max(0, part.end - kept.end)

    def _run(self) -> None:
        """Publish, again and again."""
        publisher = self._publisher
        assert publisher is not None  # noqa: S101 - `start` has made it
        while not self._ended.is_set():
            with self._turn:
                if not self._asked:
                    self._turn.wait(self.options.window / 5)
                asked, self._asked = self._asked, False
                if self._ended.is_set():
                    return
                self._begun = begun = self._begun + 1
            at = time.monotonic()
            try:
                if publisher.revision() != publisher.published or publisher.unpublished_wholes or asked:
                    publisher.publish()
            except FencedError as error:
                self._fence(error)
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told, and tried again
                self._failed(error)
                continue
            self._covered_at = at
            self._succeeded()
            with self._turn:
                self._finished = begun
                self._turn.notify_all()

    def _fence(self, error: FencedError) -> None:
        self.logger.error("%s", error)
        with self._turn:
            self._fenced, self._problem = error, error.message
            self._turn.notify_all()
        try:
            self.on_fenced(error)
        except Exception:
            self.logger.exception("what is done when another machine has taken over failed")

    def _failed(self, error: Exception) -> None:
        if self._ended.is_set():
            return
        problem = told(error, self.logger)
        if problem != self._problem:
            self.logger.warning("what is written waits to be sent: %s", problem)
        self._problem = problem
        seconds = self._backoff.failed()
        late = time.monotonic() - self._covered_at
        if late > self.options.window and not self._late:
            self._late = True
            self.logger.error("%.0f seconds of writes are only on this machine", late)
        self._ended.wait(seconds)
        with self._turn:
            self._asked = True  # who waits at a barrier still does

    def _succeeded(self) -> None:
        self._backoff.succeeded()
        if self._problem:
            self.logger.warning("what waited was sent")
        self._problem, self._late = "", False


def _is_known(engine: Engine, name: str, number: int) -> bool:
    namespace = engine.get(name)
    return namespace is not None and any(each.number == number for each in namespace.segments())
