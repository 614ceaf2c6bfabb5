from __future__ import annotations

import stat
from collections.abc import Sequence
from typing import Final

import attrs
import msgspec

from statehold_qsfs.files._layout import (
    BUCKET,
    FREED,
    MAP,
    NODE,
    PAGE,
    STATE_KEY,
    BucketRecord,
    NodeRecord,
    PageRecord,
    block_key,
    bucket_key,
    decode_bucket,
    decode_node,
    decode_page,
    node_key,
    page_key,
    split_kept,
)
from statehold_qsfs.files._records import block_numbers
from statehold_qsfs.files._values import Report
from statehold_qsfs.files._volume import ROOT, Volume, kind_of
from statehold_zdb.engine import ZdbError, ZdbMissingError

_MOST_PROBLEMS: Final = 100


@attrs.define
class Findings:
    """What is wrong, so that it can be mended.

    Attributes:
        report: the counts.
        unused: blocks that nobody refers to.
        unreachable: files that no directory has.
        dangling: directories and names whose files are not there.
        links: the count of names that files should have, where it is another.
        stray: keys of records that belong to nothing.
        unread: how many records could not be read: what seems to belong to nothing may be of theirs.
        used, files: what there is.

    """

    report: Report = attrs.field(factory=Report)
    unused: list[int] = attrs.field(factory=list)
    unreachable: list[int] = attrs.field(factory=list)
    dangling: list[tuple[int, str]] = attrs.field(factory=list)
    links: dict[int, int] = attrs.field(factory=dict)
    stray: list[bytes] = attrs.field(factory=list)
    unread: int = 0
    used: int = 0
    files: int = 0

    def say(self, text: str) -> None:
        """Note a problem."""
        if len(self.report.problems) < _MOST_PROBLEMS:
            self.report.problems.append(text)


@attrs.define(eq=False)
class Check:
    """Looks at every record of a filesystem that nothing is done to meanwhile.

    Attributes:
        volume: whose namespaces it looks at, not its memory.
        deletable: blocks that are about to be deleted.
        deep: whether blocks are read.

    """

    volume: Volume
    deletable: Sequence[int]
    deep: bool
    found: Findings = attrs.field(factory=Findings, init=False)
    _nodes: dict[int, NodeRecord] = attrs.field(factory=dict, init=False)
    _pages: dict[int, set[int]] = attrs.field(factory=dict, init=False)
    _names: dict[int, list[tuple[int, str, int]]] = attrs.field(factory=dict, init=False)
    _blocks: set[int] = attrs.field(factory=set, init=False)

    def run(self) -> Findings:
        """Return what is wrong."""
        self._read()
        self._look_at_nodes()
        self._look_at_names()
        self._look_at_blocks()
        found, volume = self.found, self.volume
        found.files = len(self._nodes)
        found.used = sum(record.stored for record in self._nodes.values())
        found.report.wrong_totals = (found.files, found.used) != (volume.files, volume.used)
        if found.report.wrong_totals:
            found.say(
                f"{volume.files} files of {volume.used} bytes are noted, "
                f"there are {found.files} of {found.used}"
            )
        found.report.files = found.files
        found.report.bytes = found.used
        found.report.blocks = len(self._blocks)
        return found

    def _read(self) -> None:
        meta, found = self.volume.meta, self.found
        for key in meta.keys():  # noqa: SIM118 - a method of its own
            if key == STATE_KEY or key[0] == FREED:
                continue
            kept = split_kept(key)
            plain = key if kept is None else kept[0]
            try:
                payload = meta.get(key)
                if payload is None:
                    continue
                record = _decode(plain, payload)
            except (ZdbError, msgspec.MsgspecError) as error:
                found.report.damaged_records += 1
                found.unread += 1
                found.say(f"the record {key.hex()} cannot be read: {error}")
                continue
            if record is None:
                found.stray.append(key)
                found.say(f"the record {key.hex()} is of nothing")
                continue
            if isinstance(record, PageRecord):
                self._blocks.update(number for pieces in record.blocks for number in pieces[2::3])
            if kept is None:
                self._note(key, record)

    def _note(self, key: bytes, record: NodeRecord | PageRecord | BucketRecord) -> None:
        ino = int.from_bytes(key[1:9])
        if isinstance(record, NodeRecord):
            self._nodes[ino] = record
        elif isinstance(record, PageRecord):
            self._pages.setdefault(ino, set()).add(int.from_bytes(key[9:]))
        else:
            bucket = int.from_bytes(key[9:])
            self._names.setdefault(ino, []).extend(
                (bucket, name.decode("utf-8", "surrogateescape"), entry)
                for name, entry in record.entries.items()
            )

    def _look_at_nodes(self) -> None:
        found, nodes = self.found, self._nodes
        if ROOT not in nodes or not stat.S_ISDIR(nodes[ROOT].mode):
            found.report.damaged_records += 1
            found.say("there is no root directory")
        for ino, record in nodes.items():
            found.report.directories += stat.S_ISDIR(record.mode)
            runs = record.runs
            wanted = {n for a, b in zip(runs[::2], runs[1::2], strict=True) for n in range(a, b)}
            for number in wanted - self._pages.get(ino, set()):
                found.report.missing_blocks += PAGE
                found.say(
                    f"file {ino}: nobody knows where blocks {number * PAGE} to {number * PAGE + 15} are"
                )
            for number in self._pages.get(ino, set()) - wanted:
                found.stray.append(page_key(ino, number))
                found.say(
                    f"file {ino} has no blocks from {number * PAGE} on, but a record says where they are"
                )
        for ino in self._pages.keys() - nodes.keys():
            found.stray += [page_key(ino, number) for number in self._pages[ino]]
            found.say(f"there is no file {ino}, but a record says where its blocks are")

    def _look_at_names(self) -> None:
        found, nodes = self.found, self._nodes
        links = dict.fromkeys(nodes, 0)
        reached: set[int] = set()
        todo = [ROOT]
        while todo:
            ino = todo.pop()
            if ino in reached or ino not in nodes:
                continue
            reached.add(ino)
            folder = nodes[ino]
            names = self._names.pop(ino, [])
            if folder.count != len(names):
                found.report.damaged_records += 1
                found.say(f"directory {ino} has {len(names)} names, {folder.count} are noted")
            for _, name, entry in names:
                child = nodes.get(entry >> 4)
                if child is None:
                    found.report.dangling += 1
                    found.dangling.append((ino, name))
                    found.say(f"directory {ino}: {name!r} is file {entry >> 4}, which is not there")
                elif stat.S_IFMT(child.mode) != kind_of(entry):
                    found.report.damaged_records += 1
                    found.say(f"directory {ino}: {name!r} is of another type than file {entry >> 4}")
                elif stat.S_ISDIR(child.mode):
                    links[ino] += 1
                    if child.parent != ino:
                        found.report.damaged_records += 1
                        found.say(f"directory {entry >> 4} is in {ino}, {child.parent} is noted")
                    todo.append(entry >> 4)
                else:
                    links[entry >> 4] += 1
                    reached.add(entry >> 4)
        self._look_at_links(links, reached)

    def _look_at_links(self, links: dict[int, int], reached: set[int]) -> None:
        found, unlinked = self.found, self.volume.unlinked
        for ino, record in self._nodes.items():
            if ino not in reached:
                if ino not in unlinked:
                    found.report.unreachable += 1
                    found.unreachable.append(ino)
                    found.say(f"file {ino} is in no directory")
                continue
            expected = links[ino] + 2 if stat.S_ISDIR(record.mode) else links[ino]
            if record.nlink != expected:
                found.report.wrong_links += 1
                found.links[ino] = expected
                found.say(f"file {ino} has {expected} names, {record.nlink} are noted")
        for ino, names in self._names.items():
            if ino not in self._nodes:
                found.stray += [bucket_key(ino, bucket) for bucket in {bucket for bucket, _, _ in names}]
                found.say(f"there is no directory {ino}, but there are names in it")

    def _look_at_blocks(self) -> None:
        data, found, report = self.volume.data, self.found, self.found.report
        there = set(block_numbers(data))
        for number in sorted(self._blocks - there):
            report.missing_blocks += 1
            found.say(f"block {number} is not there")
        found.unused = sorted(there - self._blocks - set(self.deletable))
        report.unused_blocks = len(found.unused)
        if self.deep:
            for number in sorted(self._blocks & there):
                try:
                    fine = data.check(block_key(number))
                except ZdbMissingError as missing:
                    data.fetch(missing)
                    fine = data.check(block_key(number))
                if not fine:
                    report.damaged_blocks += 1
                    found.say(f"block {number} is not what was written")


def _decode(key: bytes, payload: bytes) -> NodeRecord | PageRecord | BucketRecord | None:
    """Return what *payload* says; None if its key is of nothing."""
    if key[0] == NODE and key == node_key(int.from_bytes(key[1:9])):
        return decode_node(payload)
    if key[0] == MAP and len(key) == 17:
        return decode_page(payload)
    if key[0] == BUCKET and len(key) == 13:
        return decode_bucket(payload)
    return None
