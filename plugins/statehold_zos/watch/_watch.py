from __future__ import annotations

import fcntl
import logging
import os
import select
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from statehold_zos.disks import DiskModule, FileSystem, Stage
from statehold_zos.ledger import Ledger
from statehold_zos.model import Config, DiskInfo, PoolEvent, ZosError
from statehold_zos.watch._care import Care
from statehold_zos.watch._looks import is_mounted, is_there, why_failing
from statehold_zos.watch._moves import Move, Moving
from statehold_zos.watch._sights import DiskSight, PoolSight, Sight, compare
from statehold_zos.watch._subscriptions import KEPT, Broker, Subscription
from statehold_zos.watch._uevents import Uevents

_LOG: Final = logging.getLogger(__name__)
_SETTLING: Final = 0.1
_WHILE_MOVING: Final = 1.0


class Watch:
    """Sees disks come, go and fail and pools fill, tells it, and looks after the pools.

    Any number of processes may watch the disks of a node; all tell what they see, one looks after the pools.
    It looks when the kernel says that a block device came, went or changed, and at the latest after
    `Config.every` seconds. Contents of a disk that must not be relied on are moved where that loses nothing;
    a pool with copies stays in use while a disk is away, and is mended when it is back.
    """

    def __init__(self, config: Config, disks: DiskModule, ledger: Ledger) -> None:
        """Watch nothing yet; see `look` and `start`.

        Args:
            config: what the operator says.
            disks: whose disks, and pools on them.
            ledger: what is reserved on them.

        """
        self._config = config
        self._disks = disks
        self._ledger = ledger
        self._care = Care(disks, ledger, config.folder, every=config.every)
        self._broker = Broker()
        self._looking = threading.Lock()
        self._sight: Sight | None = None
        self._failed: dict[str, str] = {}
        self._lock: int | None = None
        self._pipe: tuple[int, int] | None = None
        self._waking = threading.Lock()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def monitor(self, *, kept: int = KEPT) -> Subscription:
        """Return the events from now on: iterate over it, and close it when done.

        Args:
            kept: how many events are kept for a reader that is slow; then the oldest are dropped.

        """
        return self._broker.subscribe(kept)

    def look(self) -> tuple[PoolEvent, ...]:
        """Look once, do what is next for each pool, and tell everybody what happened; return it as well.

        The first time, what is wrong is told, and nothing that is as it should be.
        """
        with self._looking:
            infos = {info.name: info for info in self._disks.scan()}
            if self._leads():
                for record in self._disks.records():
                    if record.stage is Stage.READY:
                        infos = self._tended(record.id, infos)
            self._sight, events = compare(
                self._sight, self._seen(infos), filling=self._config.filling, at=time.time()
            )
            self._broker.publish(events)
        return tuple(events)

    def moves(self) -> tuple[Move, ...]:
        """Return which contents are being moved or mended now, by whichever process, and how far that is."""
        moving = Moving(self._ledger, self._config.folder)
        return tuple(
            move
            for record in self._disks.records()
            if record.file_system is FileSystem.BTRFS and is_mounted(record)
            if (move := moving.now(record.id, record.path)) is not None
        )

    def start(self) -> None:
        """Look from now on, in a thread of its own, until `stop`; that it does already is no error."""
        if self._thread is None:
            self._ending.clear()
            self._pipe = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
            self._thread = threading.Thread(
                target=self._run, args=(self._pipe[0],), name="zos-watch", daemon=True
            )
            self._thread.start()

    def poke(self) -> None:
        """Let the thread look now, if there is one."""
        with self._waking:
            if self._pipe is not None:
                with suppress(BlockingIOError):  # it was told to often enough
                    os.write(self._pipe[1], b"x")

    def stop(self) -> None:
        """End the thread and all subscriptions; what is being moved goes on. May be called twice."""
        self._ending.set()
        if self._thread is not None:
            self.poke()
            self._thread.join()
            self._thread = None
        with self._waking:
            pipe, self._pipe = self._pipe, None
            for held in pipe or ():
                os.close(held)
        with self._looking:
            self._care.let_go()
            self._broker.close()
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None

    def _run(self, woken: int) -> None:
        uevents = Uevents.open()
        try:
            while not self._ending.is_set():
                try:
                    self.look()
                except Exception:  # noqa: BLE001  the next look may find the node well again
                    _LOG.exception("a look at the disks failed")
                self._wait(uevents, woken)
        finally:
            if uevents is not None:
                uevents.close()

    def _wait(self, uevents: Uevents | None, woken: int) -> None:
        """Wait until it is time to look again."""
        every = min(self._config.every, _WHILE_MOVING) if self._care.busy else self._config.every
        end = time.monotonic() + every
        heard = -1 if uevents is None else uevents.fileno()
        sources = select.poll()  # takes descriptors of any number, as there are in a server
        for source in [woken, *([heard] if uevents else [])]:
            sources.register(source, select.POLLIN)
        while (left := end - time.monotonic()) > 0:
            ready = {source for source, _ in sources.poll(left * 1000)}
            if woken in ready:
                os.read(woken, 4096)
                return
            if uevents is not None and heard in ready and uevents.drain():
                self._ending.wait(_SETTLING)  # several come for one disk
                uevents.drain()
                return

    def _leads(self) -> bool:
        """Whether this process looks after the pools; the first does, and as long as it lives."""
        if self._lock is None:
            self._config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            held = os.open(self._config.folder / "watch.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(held)
                return False
            self._lock = held
        return True

    def _tended(self, pool: str, infos: dict[str, DiskInfo]) -> dict[str, DiskInfo]:
        """Do what is next for a pool; that it fails keeps nobody from seeing the others."""
        try:
            infos = dict(self._care.tend(pool, infos))
        except (OSError, ZosError) as error:
            if self._failed.get(pool) != str(error):
                _LOG.warning("pool %s is not looked after now", pool, exc_info=True)
            self._failed[pool] = str(error)
        else:
            self._failed.pop(pool, None)
        return infos

    def _seen(self, infos: Mapping[str, DiskInfo]) -> Sight:
        """Return how everything is now."""
        known = self._disks.records()
        made = {record.id for record in known if record.stage is not Stage.MAKING}
        pools = [pool for pool in self._disks.pools() if pool.id in made]
        records = {name: record for record in known for name in record.disks}
        disks = {}
        for info in infos.values():
            record = records.get(info.name)
            failing = why_failing(info)
            there = self._disks.devices[info.name].there
            if record and not failing:  # one that is left, or cannot be read, proves nothing any more
                there = is_there(info, record)
            pool = record.id if record else ""
            disks[info.name] = DiskSight(there=there, pool=pool, failing=failing)
        return Sight(
            disks=disks,
            pools={
                pool.id: PoolSight(
                    state=pool.state, reason=pool.reason, filled=pool.used / pool.size if pool.size else 0.0
                )
                for pool in pools
            },
        )
