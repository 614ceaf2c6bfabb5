from __future__ import annotations

import logging
import threading
from typing import Final

import msgspec

from statehold.hosting import App
from statehold.rows import Delete, Put, RowStore
from statehold.sdk import StateholdError

_NOTES: Final = ("blobs",)
_BATCH: Final = 16

#: Where the contents of a blob lie.
BlobRows = tuple[str, int, int]


def blob_rows(workspace: int, blob: int) -> BlobRows:
    """Return the partition of the rows with the contents of a blob."""
    return ("blob", workspace, blob)


def remove_blob(store: RowStore, rows: BlobRows) -> None:
    """Remove the contents of a blob."""
    while found := [Delete(rows, row.clustering) for row in store.read(rows, limit=_BATCH)]:
        store.write(found)


class BlobNote(msgspec.Struct, frozen=True):
    """What is written down of a blob before its contents: whose it is going to be, and what it replaces."""

    table: str
    record: int
    field: str
    before: int = 0


#: Made here: two threads that are the first to read a type bring msgspec, and the process, to an end.
_note: Final = msgspec.msgpack.Decoder(BlobNote).decode


class Orphans:
    """Knows the blobs that are being written, so that none stays behind which no record refers to.

    A note stands in the app's store from the first piece of a blob until its field is set and the blob
    before it is gone. One that is still there when the app comes up is of a server that ended meanwhile.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._writing: set[int] = set()

    def begin(self, workspace: int, blob: int, note: BlobNote) -> Put:
        """Return the note, to be written with the first piece of the blob."""
        with self._lock:
            self._writing.add(blob)
        return Put(_NOTES, (workspace, blob), msgspec.msgpack.encode(note))

    def end(self, blob: int) -> None:
        """Leave a blob to the next sweep, if it still has its note."""
        with self._lock:
            self._writing.discard(blob)

    def settle(self, store: RowStore, workspace: int, blob: int, gone: int) -> None:
        """Remove what nobody refers to: of *blob* and the one before it, the blob *gone*, 0 for none."""
        if gone:
            remove_blob(store, blob_rows(workspace, gone))
        store.write([Delete(_NOTES, (workspace, blob))])

    def sweep(self, app: App) -> None:
        """Settle the blobs of an app that some server has left half-written."""
        if app.current_or_none is None:
            return
        try:
            with app.borrow() as partition:
                version, data = app.current, partition.data
                for row in list(data.store.read(_NOTES)):
                    workspace, blob = int(str(row.clustering[0])), int(str(row.clustering[1]))
                    with self._lock:
                        is_mine = blob in self._writing
                    if not is_mine:
                        note = _note(row.value)
                        found = data.reader(version.schemas).record(workspace, note.record)
                        held = None if found is None else getattr(found, note.field, None)
                        gone = note.before if held == blob else blob
                        self.settle(data.store, workspace, blob, gone)
                        self._log.info("%s: blob %d of workspace %d is settled", app.name, blob, workspace)
        except StateholdError as error:
            self._log.warning("%s: half-written blobs could not be looked for: %s", app.name, error)
