from __future__ import annotations

import errno
import stat
import threading
import time
from collections.abc import Callable
from typing import Final

import attrs

from statehold_qsfs.files._buffers import Buffer
from statehold_qsfs.files._layout import (
    PAGE,
    SnapshotRecord,
    bucket_key,
    decode_bucket,
    decode_node,
    decode_page,
    node_key,
    page_key,
)
from statehold_qsfs.files._nodes import Bucket, Changed, Node, Page, new_page
from statehold_qsfs.files._records import Records, refuse
from statehold_qsfs.files._values import FileSystemOptions
from statehold_zdb.engine import Namespace

ROOT: Final = 1
_DAY: Final = 86_400 * 10**9


@attrs.define(eq=False, kw_only=True)
class Volume:
    """What the parts of one filesystem share: the files in memory, and what of them is to be written.

    All is done under `lock`, except what says otherwise.

    Attributes:
        meta, data: the namespaces.
        records: reads the metadata.
        now: returns the nanoseconds since 1970.
        pressed: called when much waits to be written, or much is kept in memory that need not be.
        let_go: lets others open it.
        nodes: files by number.
        paths: files by path; those that are not `cached` any more are not meant.
        changed: what is to be written, by key; None is to be removed.
        buffered: files that have buffers.
        filling: those that were much written since full blocks of theirs were brought into the namespace.
        dirty_bytes: what those buffers take.
        small_bytes: what changed contents and attributes take that stand in the records of their files.
        dirty_since: when the first change was made that is not durable, by the monotonic clock; 0 if none is.
        next_ino, high, used, files, last_snapshot, snapshots: as in `StateRecord`.
        freed: blocks that are deleted once what refers to them has been replaced.
        freed_records: how many records besides the whole say what is to be deleted.
        leftover: blocks that a crash has left, which no metadata refer to.
        unlinked: files without a name that are open or held.
        held: the numbers of files that stay, also without a name, though they are not open.
        room: how many bytes the disk had when last asked.

    """

    meta: Namespace
    data: Namespace
    options: FileSystemOptions
    records: Records
    now: Callable[[], int] = time.time_ns
    pressed: Callable[[], None] = lambda: None
    let_go: Callable[[], None] = lambda: None
    lock: threading.RLock = attrs.field(factory=threading.RLock)
    nodes: dict[int, Node] = attrs.field(factory=dict)
    paths: dict[str, Node] = attrs.field(factory=dict)
    changed: dict[bytes, Changed | None] = attrs.field(factory=dict)
    buffered: dict[int, Node] = attrs.field(factory=dict)
    filling: dict[int, Node] = attrs.field(factory=dict)
    dirty_bytes: int = 0
    small_bytes: int = 0
    dirty_since: float = 0.0
    next_ino: int = ROOT + 1
    high: int = 0
    used: int = 0
    files: int = 0
    last_snapshot: int = 0
    snapshots: list[SnapshotRecord] = attrs.field(factory=list)
    freed: list[int] = attrs.field(factory=list)
    freed_records: int = 0
    leftover: list[int] = attrs.field(factory=list)
    unlinked: dict[int, Node] = attrs.field(factory=dict)
    held: set[int] = attrs.field(factory=set)
    room: int = 1 << 62
    read_only: bool = False
    closed: bool = False
    _pages: int = attrs.field(default=0, init=False)
    _most_changes: int = attrs.field(init=False)
    _most_bytes: int = attrs.field(init=False)
    _most_nodes: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # A commit is one write of 0-db, which is all or nothing as long as it fits into a segment.
        segment = self.meta.options.segment_size
        self._most_changes = min(max(segment // 2048, 128), 16_384)
        self._most_bytes = min(segment // 8, 16 * 1024 * 1024)
        self._most_nodes = self.options.cached_nodes * 5 // 4

    # Changing

    def check_writable(self) -> None:
        """Raise EROFS, or what a closed filesystem raises, if nothing can be changed."""
        if self.read_only:
            raise refuse(errno.EROFS)
        self.check_open()

    def check_open(self) -> None:
        """Raise ESHUTDOWN if it is closed."""
        if self.closed:
            raise refuse(errno.ESHUTDOWN)

    def mark(self, what: Changed) -> None:
        """Have *what* written by the next commit."""
        if not what.dirty:
            what.dirty = True
            self.changed[what.key] = what
            if not self.dirty_since:
                self.dirty_since = time.monotonic()
            if self.pressing:
                self.pressed()

    @property
    def dirty_for(self) -> float:
        """For how many seconds there has been a change that is not durable; 0 if there is none."""
        since = self.dirty_since
        return time.monotonic() - since if since else 0.0

    @property
    def pressing(self) -> bool:
        """Whether so much of the metadata has changed that a commit should come soon."""
        return len(self.changed) >= self._most_changes or self.small_bytes > self._most_bytes

    @property
    def crowded(self) -> bool:
        """Whether so much of the metadata has changed that a commit must come first."""
        return len(self.changed) > 2 * self._most_changes or self.small_bytes > max(
            2 * self._most_bytes, self.options.dirty_limit
        )

    def touch(self, node: Node) -> None:
        """Have *node* written, and let nobody believe what is known of it."""
        node.attributes = None
        if not node.dirty:
            self.mark(node)

    def remove(self, key: bytes) -> None:
        """Have what stands under *key* removed by the next commit."""
        self.changed[key] = None
        if not self.dirty_since:
            self.dirty_since = time.monotonic()

    def free(self, numbers: list[int]) -> None:
        """Delete blocks that no file refers to any more, unless a snapshot does."""
        if numbers:
            kept = self.snapshots[-1].high if self.snapshots else 0
            self.freed += [number for number in numbers if number >= kept] if kept else numbers

    def check_room(self, growth: int) -> None:
        """Raise ENOSPC if files may not take *growth* bytes more."""
        if growth > 0:
            quota = self.options.quota
            if (quota and self.used + growth > quota) or self.dirty_bytes + growth > self.room:
                raise refuse(errno.ENOSPC)

    # Files

    def node(self, ino: int) -> Node:
        """Return the file of that number; ESTALE if it was removed."""
        found = self.nodes.get(ino)
        if found is None:
            if self._is_removed(node_key(ino)):
                raise refuse(errno.ESTALE)
            found = Node.of(ino, self.records.decoded(node_key(ino), decode_node))
            self._keep(found)
        return found

    def has(self, ino: int) -> bool:
        """Whether there is a file of that number."""
        if ino in self.nodes:
            return True
        key = node_key(ino)
        return not self._is_removed(key) and self.records.load(key) is not None

    def _is_removed(self, key: bytes) -> bool:
        return key in self.changed and self.changed[key] is None

    def make(self, mode: int, *, uid: int, gid: int, rdev: int = 0) -> Node:
        """Return a new file."""
        if self.options.max_files and self.files >= self.options.max_files:
            raise refuse(errno.ENOSPC)
        now = self.now()
        made = Node(
            ino=self.next_ino,
            mode=mode,
            uid=uid & 0xFFFFFFFF,
            gid=gid & 0xFFFFFFFF,
            rdev=rdev,
            atime=now,
            mtime=now,
            ctime=now,
            birth=now,
        )
        self.next_ino += 1
        self.files += 1
        self._keep(made)
        self.mark(made)
        return made

    def _keep(self, node: Node) -> None:
        nodes = self.nodes
        nodes[node.ino] = node
        if len(nodes) > self._most_nodes:
            self.pressed()

    def trim(self) -> None:
        """Forget files and pages of maps that are not in use, those that came first, if there are many.

        Only between operations: they hold what they have found.
        """
        nodes, limit = self.nodes, self.options.cached_nodes
        if len(nodes) > self._most_nodes:
            found = []
            for node in nodes.values():
                if not node.in_use and node.ino != ROOT:
                    found.append(node)
                    if len(nodes) - len(found) <= limit:
                        break
            for node in found:
                self.forget(node)
            self.paths.clear()
            self._most_nodes = max(limit, len(nodes)) * 5 // 4
        if self._pages > max(limit // PAGE, 256):
            left = 0
            for node in nodes.values():
                if node.pages:
                    node.pages = {n: page for n, page in node.pages.items() if page.dirty} or None
                    left += len(node.pages or ())
            self._pages = left

    def forget(self, node: Node) -> None:
        """Have *node* no more in memory."""
        node.cached = False
        self.nodes.pop(node.ino, None)
        if node.pages:
            self._pages -= len(node.pages)
            node.pages = None

    # Maps

    def page(self, node: Node, number: int) -> Page | None:
        """Return a page of the map of *node*, or None if nothing stands there."""
        pages = node.pages
        if pages is not None:
            found = pages.get(number)
            if found is not None:
                return found
        if not node.has_page(number):
            return None
        key = page_key(node.ino, number)
        record = self.records.decoded(key, decode_page)
        return self._keep_page(node, number, Page(key, record.blocks, record.generation))

    def writable_page(self, node: Node, number: int) -> Page:
        """Return a page of the map of *node*, a new one if nothing stands there."""
        found = self.page(node, number)
        if found is None:
            found = self._keep_page(node, number, new_page(node.ino, number))
            node.add_page(number)
        return found

    def remove_page(self, node: Node, number: int) -> None:
        """Have a page no more."""
        node.drop_page(number)
        if node.pages is not None and node.pages.pop(number, None) is not None:
            self._pages -= 1
        self.remove(page_key(node.ino, number))

    def _keep_page(self, node: Node, number: int, page: Page) -> Page:
        if node.pages is None:
            node.pages = {}
        node.pages[number] = page
        self._pages += 1
        if self._pages > max(self.options.cached_nodes // PAGE, 256):
            self.pressed()
        return page

    def buffer(self, node: Node, block: int) -> Buffer:
        """Return the buffer of a block of *node*, a new one if it has none."""
        if node.buffers is None:
            node.buffers = {}
        found = node.buffers.get(block)
        if found is None:
            page = self.page(node, block // PAGE)
            pieces = page.blocks[block % PAGE] if page is not None else ()
            found = node.buffers[block] = Buffer(max(pieces[1::3], default=0))
            self.buffered[node.ino] = node
        return found

    # Directories

    def bucket(self, node: Node, number: int) -> Bucket:
        """Return some of the names of a directory."""
        if node.names is None:
            node.names = {}
        found = node.names.get(number)
        if found is None:
            key = bucket_key(node.ino, number)
            found = Bucket(key, {})
            if self.records.load(key) is not None:
                record = self.records.decoded(key, decode_bucket)
                found.generation = record.generation
                found.entries = {
                    name.decode("utf-8", "surrogateescape"): entry for name, entry in record.entries.items()
                }
            node.names[number] = found
        return found

    def read_times(self, node: Node) -> None:
        """Note that *node* was read: once after each change, and once a day."""
        if self.read_only:
            return
        last = node.atime
        now = self.now()
        if last <= node.mtime or last <= node.ctime or now - last > _DAY:
            node.atime = now
            self.touch(node)


def kind_of(entry: int) -> int:
    """Return the type that a directory notes, as of a mode."""
    return (entry & 15) << 12


def is_directory(entry: int) -> bool:
    """Whether what a directory notes is a directory."""
    return stat.S_ISDIR(kind_of(entry))
