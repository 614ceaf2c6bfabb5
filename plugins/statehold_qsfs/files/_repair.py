from __future__ import annotations

import stat
from typing import Final

from statehold_qsfs.files._check import Findings
from statehold_qsfs.files._names import Names
from statehold_qsfs.files._nodes import Node
from statehold_qsfs.files._volume import ROOT, Volume

_FOUND: Final = "lost+found"


def repair(volume: Volume, names: Names, findings: Findings) -> None:
    """Mend what can be; what files have lost stays lost.

    Nothing is done while records cannot be read: what they tell of would be deleted.
    """
    if findings.unread:
        findings.report.problems.insert(0, "nothing is mended while records cannot be read")
        return
    mended = 0
    volume.freed += findings.unused
    mended += len(findings.unused)
    for key in findings.stray:
        volume.remove(key)
        mended += 1
    for ino, name in findings.dangling:
        names.forget(volume.node(ino), name)
        mended += 1
    for ino, links in findings.links.items():
        node = volume.node(ino)
        node.nlink = links
        volume.touch(node)
        mended += 1
    if findings.report.wrong_totals:
        volume.used, volume.files = findings.used, findings.files
        mended += 1
    for ino in findings.unreachable:
        node = volume.node(ino)
        names.adopt(_folder(volume, names), f"#{ino}", node)
        mended += 1
    volume.paths.clear()
    findings.report.repaired = mended


def _folder(volume: Volume, names: Names) -> Node:
    root = volume.node(ROOT)
    if names.get(root, _FOUND) is None:
        names.make(root, _FOUND, stat.S_IFDIR | 0o700, uid=0, gid=0)
    return names.find(root, _FOUND)
