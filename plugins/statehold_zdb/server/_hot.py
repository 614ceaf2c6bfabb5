from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs

from statehold_zdb.engine import Namespace

#: Larger payloads are not kept: a copy costs more than reading them again, and checking their CRC, twice.
_LARGEST: Final = 16 * 1024
_OVERHEAD: Final = 300


@attrs.define(eq=False)
class Hot:
    """Replies to GETs, by what follows `GET` in the request: `$3 key` and line ends.

    Each has been read and its CRC checked; a write to the key takes it out. All together have at most
    *budget* bytes: when they would be more, all go.

    Attributes:
        changes: counts the writes that it has heard of.

    """

    budget: int
    changes: int = attrs.field(default=0, init=False)
    _used: int = attrs.field(default=0, init=False)
    _tables: dict[Namespace, dict[bytes, bytes]] = attrs.field(factory=dict, init=False)

    def table(self, namespace: Namespace) -> dict[bytes, bytes]:
        """Return the replies of *namespace*, to be looked into and nothing else."""
        found = self._tables.get(namespace)
        if found is None:
            found = self._tables[namespace] = {}
            namespace.changed = self._forgetting(found)
        return found

    def wants(self, size: int) -> bool:
        """Whether a reply of *size* bytes is to be kept."""
        return size <= _LARGEST

    def keep(self, namespace: Namespace, key: bytes, reply: bytes, changes: int) -> None:
        """Keep a reply; *changes* is what `changes` was before it was read."""
        table = self.table(namespace)
        size = len(key) + len(reply) + _OVERHEAD
        if self._used + size > self.budget:
            self.clear()
            if size > self.budget:
                return
        asked = b"%d\r\n%b\r\n" % (len(key), key)
        table[asked] = reply
        self._used += size
        if self.changes != changes:  # another thread wrote meanwhile, perhaps to this key
            table.pop(asked, None)

    def clear(self) -> None:
        """Forget all."""
        for table in self._tables.values():
            table.clear()
        self._tables = {n: table for n, table in self._tables.items() if not n.closed}
        self._used = 0

    def _forgetting(self, table: dict[bytes, bytes]) -> Callable[[bytes], None]:
        pop = table.pop

        def forget(key: bytes) -> None:
            self.changes += 1
            if not table:
                return
            if key:
                pop(b"%d\r\n%b\r\n" % (len(key), key), None)
            else:
                table.clear()

        return forget
