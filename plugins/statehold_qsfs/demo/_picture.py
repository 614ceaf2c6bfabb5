from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from statehold.sdk import StateholdError
from statehold_qsfs.demo._stores import Store, Stores
from statehold_zstor.objects import ObjectInfo, ObjectNotFoundError, Verdict, Zstor

_MOST: Final = 9
_SOUND: Final = Text("■", style="green")
_DAMAGED: Final = Text("✗", style="bold red")
_MISSING: Final = Text("○", style="yellow")
_AWAY: Final = Text("□", style="dim")


class Picture:
    """Which shard of which object is where, and how it is, as it was seen last."""

    def __init__(self, stores: Stores, zstor: Zstor) -> None:
        self._stores: Final = stores
        self._zstor: Final = zstor
        self._lock: Final = threading.Lock()
        self._objects: list[ObjectInfo] = []
        self._bad: Mapping[str, frozenset[int]] = {}

    @property
    def objects(self) -> Sequence[ObjectInfo]:
        """The objects that there were at the last look."""
        with self._lock:
            return list(self._objects)

    @property
    def missing(self) -> int:
        """How many shards were missing then."""
        return sum(len(info.missing) for info in self.objects)

    def look(self) -> tuple[()]:
        """Look at what the metadata say, of which the table is enough."""
        try:
            # Those that lack something first, then those that were stored last.
            found = sorted(self._zstor.list(), key=lambda info: (not info.missing, -info.stored))
        except StateholdError:  # asked again soon
            return ()
        with self._lock:
            self._objects = found
        return ()

    def verify(self) -> list[Verdict]:
        """Read every shard of every object, and return what was found."""
        self.look()
        verdicts = []
        for info in self.objects:
            try:
                verdicts.append(self._zstor.verify(info.key))
            except ObjectNotFoundError:  # replaced meanwhile by another
                continue
            with self._lock:
                shards = frozenset(bad.shard for bad in verdicts[-1].bad)
                self._bad = {**self._bad, info.key: shards}
        return verdicts

    def repair(self) -> int:
        """Make what is lost or damaged anew, object by object, and return how many shards that were."""
        self.look()
        count = 0
        for info in self.objects:
            try:
                repair = self._zstor.rebuild(info.key)
            except ObjectNotFoundError:
                continue
            count += len(repair.repaired)
            with self._lock:
                self._bad = {**self._bad, info.key: frozenset()}
                self._objects = [repair.info if one.key == repair.info.key else one for one in self._objects]
        return count

    def table(self) -> Table:
        """Return the picture."""
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column("object", no_wrap=True)
        for store in self._stores.all:
            table.add_column(f"{store.site}\n{store.number}", justify="center", no_wrap=True)
        table.add_row("0-db", *(self._state(store) for store in self._stores.all))
        with self._lock:
            objects, bad = self._objects, self._bad
        for info in objects[:_MOST]:
            table.add_row(_short(info.key), *self._cells(info, bad.get(info.key, frozenset())))
        if len(objects) > _MOST:
            table.add_row(Text(f"and {len(objects) - _MOST} others", style="dim"))
        return table

    def _cells(self, info: ObjectInfo, bad: frozenset[int]) -> list[Text]:
        shards = {place: shard for shard, place in enumerate(info.backends) if place}
        return [self._cell(store, shards.get(store.url("data")), bad) for store in self._stores.all]

    def _cell(self, store: Store, shard: int | None, bad: frozenset[int]) -> Text:
        if shard is None:
            return _MISSING
        if not store.is_up:
            return _AWAY
        return _DAMAGED if shard in bad else _SOUND

    def _state(self, store: Store) -> Text:
        return Text("up", style="green") if store.is_up else Text("dead", style="bold red")


def _short(key: str) -> str:
    return key if len(key) <= 20 else f"...{key[-17:]}"
