"""Limits on how much a folder may hold: one interface, and whatever this path's file system can enforce.

A backend limits a `Group`, a folder with folders in it that share one limit. It is chosen only after a probe
has really been refused a write over a small limit on the very path.
"""

from __future__ import annotations

from statehold_quota import _programs as programs
from statehold_quota._accounting import Accounting
from statehold_quota._backend import Backend, Fitted, Group, QuotaError, QuotaFullError, fit
from statehold_quota._btrfs import Btrfs, Mode
from statehold_quota._btrfs import _ioctl as btrfs
from statehold_quota._choose import NAMES, Choice, backends, choose, clean_up, examine
from statehold_quota._kernel import ProjectQuota, UserQuota
from statehold_quota._loop import LoopImage
from statehold_quota._mounts import Mount, mount_of, mounts_under
from statehold_quota._probe import Finding, probe
from statehold_quota._walk import change_owner, remove_tree, size_of

__all__ = [
    "NAMES",
    "Accounting",
    "Backend",
    "Btrfs",
    "Choice",
    "Finding",
    "Fitted",
    "Group",
    "LoopImage",
    "Mode",
    "Mount",
    "ProjectQuota",
    "QuotaError",
    "QuotaFullError",
    "UserQuota",
    "backends",
    "btrfs",
    "change_owner",
    "choose",
    "clean_up",
    "examine",
    "fit",
    "mount_of",
    "mounts_under",
    "probe",
    "programs",
    "remove_tree",
    "size_of",
]
