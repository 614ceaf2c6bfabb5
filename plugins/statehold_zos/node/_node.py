from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, Self

import attrs

from statehold_zos.disks import DiskModule
from statehold_zos.ledger import Ledger
from statehold_zos.model import Config
from statehold_zos.namespaces import NamespaceReport, Namespaces
from statehold_zos.node._figures import Figures
from statehold_zos.node._lead import Lead
from statehold_zos.pools import Report, StoragePools
from statehold_zos.watch import Watch

_LOG: Final = logging.getLogger(__name__)
#: What a report has that was not put right, and is told again as long as it is so.
_WRONG: Final = ("faults", "gone", "missing", "over", "unknown")


@attrs.frozen(kw_only=True)
class Reconciled:
    """What was found when all was looked at, and what was done about it."""

    pools: Report
    namespaces: NamespaceReport

    @property
    def clean(self) -> bool:
        """Whether all was as it should be."""
        return self.pools.clean and self.namespaces.clean


class Node:
    """A node's storage; any number of threads and processes may have it open at once.

    What is to be done by one of them, such as to restart a server or to delete what was released, is done by
    the one that leads: the first, as long as it lives. Servers and mounts outlive all of them.

    Attributes:
        config: what the operator says.
        ledger: what is reserved.
        disks: disks, and pools of them.
        pools: spaces in pools.
        namespaces: 0-db namespaces in pools.
        watch: what happens to disks and pools.

    """

    def __init__(self, config: Config, *, logger: logging.Logger | None = None) -> None:
        """Open what is kept of a node; nothing is mounted and nothing started, see `bring_up` and `start`.

        Raises:
            ZosError: what is kept cannot be read, or the configuration allows what cannot be.
            OSError: the folder cannot be made.

        """
        self.config: Final = config
        self._logger: Final = logger or _LOG
        config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ledger: Final = Ledger(config.folder)
        try:
            self.disks: Final = DiskModule(config, self.ledger)
            self.pools: Final = StoragePools(self.ledger, self.disks, placement=config.placement)
            self.namespaces: Final = Namespaces(config, self.ledger, self.pools)
            self.watch: Final = Watch(config, self.disks, self.ledger)
        except BaseException:
            self.ledger.close()
            raise
        self._lead: Final = Lead(config.folder)
        self._events: Final = self.watch.monitor()
        self._turn: Final = threading.Lock()
        self._ending: Final = threading.Event()
        self._thread: threading.Thread | None = None
        self._counts: Final[Counter[str]] = Counter()
        self._mended: Final[Counter[str]] = Counter()
        self._wrong: Mapping[str, Sequence[str]] = {}
        self._looked = 0.0

    @classmethod
    def started(cls, config: Config, *, logger: logging.Logger | None = None) -> Node:
        """Open a node, bring it up and look after it from now on. Raises as `__init__` and `bring_up`."""
        node = cls(config, logger=logger)
        try:
            node.start()
        except BaseException:
            node.stop()
            raise
        return node

    def bring_up(self) -> None:
        """Mount the pools, then put right what was left in them, then start servers.

        A pool that cannot be mounted is `GONE`, and keeps nobody from the others.
        """
        self.disks.start()
        with self._lead.once() as leads:
            if leads:
                self.reconcile()

    def start(self) -> None:
        """Bring it up, and look after it until `stop`: what happens to disks, what was left, what is due."""
        self._lead.take()
        self.bring_up()
        self.watch.start()
        if self._thread is None:
            self._ending.clear()
            self._thread = threading.Thread(target=self._run, name="zos-node", daemon=True)
            self._thread.start()

    def reconcile(self) -> Reconciled:
        """Look at all spaces, servers and namespaces once, and put right what is not as it should be."""
        with self._turn:
            try:
                found = Reconciled(pools=self.pools.reconcile(), namespaces=self.namespaces.reconcile())
            except BaseException:
                self._counts["failed"] += 1
                raise
            self._counts["looks"] += 1
            self._looked = time.time()
            self._tell(found)
        return found

    def probe(self) -> None:
        """Raise ZosError where it cannot say what is reserved."""
        self.ledger.pools.all()

    @property
    def figures(self) -> Figures:
        """What it has done."""
        while (event := self._events.get(0)) is not None:
            self._counts[f"event {event.kind.value}"] += 1
        return Figures(
            looks=self._counts["looks"],
            failed=self._counts["failed"],
            looked=self._looked,
            mended=dict(self._mended),
            wrong=dict(self._wrong),
            events={
                name.removeprefix("event "): count
                for name, count in self._counts.items()
                if name.startswith("event ")
            },
        )

    def stop(self) -> None:
        """Look after it no more, and close it; pools stay mounted and servers go on. May be called twice."""
        self._ending.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self.watch.stop()
        self._events.close()
        self._lead.give_up()
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._ending.wait(self.config.every):
            try:
                if self._lead.take():
                    self.reconcile()
            except Exception:  # the next time it may work
                self._logger.exception("looking after the node failed")

    def _tell(self, found: Reconciled) -> None:
        """Count and log what was put right, and log what is wrong when it begins."""
        wrong: dict[str, Sequence[str]] = {}
        for where, report in (("spaces", found.pools), ("namespaces", found.namespaces)):
            for what, names in attrs.asdict(report).items():
                said = f"{where} {what}"
                if names and what in _WRONG:
                    wrong[said] = names
                    if new := [name for name in names if name not in self._wrong.get(said, ())]:
                        self._logger.warning("%s: %s", said, ", ".join(new))
                elif names:
                    self._mended[said] += len(names)
                    self._logger.info("%s: %s", said, ", ".join(names))
        self._wrong = wrong
