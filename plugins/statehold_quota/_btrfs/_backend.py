from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from typing import ClassVar, Final

import attrs

from statehold_quota._backend import Group, QuotaError, told
from statehold_quota._btrfs import _ioctl
from statehold_quota._btrfs._state import Mode, QuotaState
from statehold_quota._btrfs._subvolumes import (
    folders_of,
    inner_subvolumes,
    make,
    set_uncounted,
    subvolume_in,
    uncounted,
)
from statehold_quota._mounts import mount_of
from statehold_quota._walk import remove_tree, size_of

_COMMANDS: Final = {Mode.SIMPLE: 4, Mode.QGROUP: 1}
_LEVEL: Final = 1 << 48
_CLEANED: Final = 30.0
_ROOM: Final = 16 * 2**20


@attrs.frozen(kw_only=True)
class Btrfs:
    """Limits by the quotas of btrfs, which hold for root as for anybody else.

    A group is a subvolume, each of its folders is one, and the qgroup 1/<id of the group's subvolume> above
    them has the limit. What lies in the group's folder itself does not count.

    Attributes:
        root: where the groups lie.
        mode: which kind of quotas is meant.
        enable: whether quotas may be switched on where they are off.

    """

    root: Path
    mode: Mode = Mode.SIMPLE
    enable: bool = False
    enforced: ClassVar[bool] = True
    smallest: ClassVar[int] = 512 * 1024
    step: ClassVar[int] = 4096

    @property
    def name(self) -> str:
        """The word for settings."""
        return "btrfs-simple" if self.mode is Mode.SIMPLE else "btrfs-qgroup"

    @property
    def title(self) -> str:
        """What people read."""
        return "btrfs simple quota" if self.mode is Mode.SIMPLE else "btrfs qgroup"

    @property
    def overhead(self) -> int:
        """What counts for a folder beside its one file, however large: with it, the limit is exact."""
        return 2 * self._state().node

    def require(self) -> None:
        """Raise QuotaError where this is no btrfs, or quotas are off or of the other kind."""
        mount = mount_of(self.root)
        if mount.kind != "btrfs":
            raise QuotaError(f"{self.root} lies on {mount.kind}, not on btrfs")
        if os.geteuid() != 0:
            raise QuotaError(f"{self.title}: only root may set limits")
        state = self._state()
        if not state.shown:
            raise QuotaError(f"the kernel shows no state of this btrfs under {state.folder.parent}")
        if state.mode is None and not self.enable:
            raise QuotaError(
                f"quotas are off on the btrfs at {mount.point}",
                hint="Let them be switched on (--enable, or Enable in JSONCONFIG); with simple quotas, "
                "kernels before 6.7 cannot mount it any more",
            )
        if state.mode not in (None, self.mode):
            raise QuotaError(f"quotas are on at {mount.point}, of the other kind: {state.mode}")

    def prepare(self) -> None:
        """Switch quotas on where they are off and that is allowed; count anew where the counts are wrong."""
        self.require()
        state = self._state()
        with told(self, "switch quotas on"):
            if state.mode is None:
                _ioctl.quota(self.root, _COMMANDS[self.mode])
            if self.mode is Mode.QGROUP and state.inconsistent:
                _ioctl.rescan(self.root)
        if fault := self.fault():
            raise QuotaError(fault)

    def fault(self) -> str:
        """Return that quotas are off, of the other kind or inconsistent; "" where all is well."""
        state = self._state()
        mode = state.mode
        if mode is None:
            return f"{self.title}: somebody switched quotas off, no limit is kept"
        if mode is not self.mode:
            return f"{self.title}: quotas are now of the other kind, {mode}"
        return f"{self.title}: the counts are inconsistent, no limit is kept" if state.inconsistent else ""

    def make_group(self, group: Group) -> None:
        """Make the subvolume of the group, and the qgroup that is to have its limit."""
        with told(self, f"make {group.path.name}"):
            make(group.path)
            group.path.chmod(0o711)
            _ioctl.mark(group.path, _ioctl.subvolume_of(group.path))
            self._tie(group)

    def make_folder(self, group: Group, name: str) -> Path:
        """Make a subvolume that counts for the group."""
        folder = group.path / name
        with told(self, f"make {group.path.name}/{name}"):
            if not _ioctl.is_subvolume(folder):
                make(folder)
                subvolume = _ioctl.subvolume_of(folder)
                _ioctl.assign(group.path, subvolume, _qgroup(group))
                _ioctl.mark(group.path, subvolume)
        return folder

    def make_limited(self, group: Group, name: str, limit: int) -> Path:
        """Make a group, its limit, and then a folder in it: `make_group`, `set_limit` and `make_folder`.

        Where nothing of the group is there yet, that takes half of their time.
        """
        if group.path.exists():
            self.make_group(group)
            self.set_limit(group, limit)
            return self.make_folder(group, name)
        with told(self, f"make {group.path.name}"):
            _ioctl.make_subvolume(group.path.parent, group.path.name)
            held = os.open(group.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fchmod(held, 0o711)
                above = _ioctl.subvolume_of(held)
                qgroup = _LEVEL | above
                _ioctl.mark(held, above)
                _ioctl.make_qgroup(held, qgroup)
                _ioctl.set_limit(held, qgroup, limit)
                _ioctl.make_subvolume(held, name)
                own = subvolume_in(held, name)
                _ioctl.assign(held, own, qgroup)
                _ioctl.mark(held, own)
            finally:
                os.close(held)
            self._check_kept(group, limit, self._state().limit(qgroup))
        return group.path / name

    def hold(self, group: Group) -> None:
        """Let subvolumes that services made inside of their folders count for the group."""
        with told(self, f"count {group.path.name}"):
            self._tie_inner(group, _qgroup(group))

    def set_limit(self, group: Group, limit: int) -> None:
        """Set the limit of the group's qgroup.

        Simple quotas do not count what was written before they were switched on: the limit in the kernel is
        less by that much.
        """
        with told(self, f"limit {group.path.name}"):
            qgroup = _qgroup(group)
            reset = self._state().limit(qgroup) is None or uncounted(group.path)
            self._tie(group)
            if reset and self.mode is Mode.SIMPLE:
                self._count_what_was_there(group)
            kept = max(0, limit - uncounted(group.path))
            _ioctl.set_limit(group.path, qgroup, kept)
        if not self.keeps(group, limit):
            self._check_kept(group, limit, self.limit(group))

    def limit(self, group: Group) -> int | None:
        """Return the limit that the kernel keeps, with what was there before quotas were."""
        with told(self, f"read the limit of {group.path.name}"):
            kept = self._state().limit(_qgroup(group))
            return None if kept is None else kept + uncounted(group.path)

    def keeps(self, group: Group, limit: int) -> bool:
        """Whether the kernel keeps just that limit."""
        return self.limit(group) == max(limit, uncounted(group.path))

    def used(self, group: Group) -> int:
        """Return what the folders of the group hold, as the file system counts it, metadata included."""
        with told(self, f"read the size of {group.path.name}"):
            counted = self._state().used(_qgroup(group))
            return (counted or 0) + uncounted(group.path)

    def folder_used(self, group: Group, name: str) -> int:
        """Return what one folder holds, as the file system counts it."""
        folder = group.path / name
        with told(self, f"read the size of {group.path.name}/{name}"):
            if uncounted(group.path):
                return size_of(folder)
            return self._state().used(_ioctl.subvolume_of(folder)) or 0

    def commit(self) -> None:
        """Let sizes be those of now: they are counted when the file system commits."""
        with told(self, "commit"):
            _ioctl.sync(self.root)

    def remove_folder(self, group: Group, name: str) -> None:
        """Remove the subvolume, and wait until it does not count for the group any more."""
        folder = group.path / name
        if not folder.exists():
            return
        with told(self, f"remove {group.path.name}/{name}"):
            subvolume = _ioctl.subvolume_of(folder)
            if not _ioctl.is_subvolume(folder):
                remove_tree(folder)
                return
            try:
                _ioctl.remove_subvolume(group.path, name)
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:
                    raise
                self._remove_inner(group, folder)
                _ioctl.remove_subvolume(group.path, name)
            self._wait_until_cleaned(subvolume)

    def _remove_inner(self, group: Group, folder: Path) -> None:
        """Remove the subvolumes inside of a folder, which takes some room itself, where there may be none."""
        kept = self._state().limit(_qgroup(group))
        for above, name in inner_subvolumes(folder):
            if kept is not None:
                _ioctl.set_limit(group.path, _qgroup(group), kept + _ROOM)
            _ioctl.remove_subvolume(above, name)
        if kept is not None:
            _ioctl.set_limit(group.path, _qgroup(group), kept)

    def remove_group(self, group: Group) -> None:
        """Remove the subvolumes and the qgroup.

        Raises:
            QuotaError: what was in them still takes room, as a file does that somebody has open; the group
                is there until this is repeated, without its folders.

        """
        if not group.path.exists():
            return
        with told(self, f"remove {group.path.name}"):
            qgroup = _qgroup(group)
            for folder in folders_of(group):
                self.remove_folder(group, folder.name)
            self._check_given_back(group, qgroup)
            _ioctl.remove_subvolume(group.path.parent, group.path.name)
            self._wait_until_cleaned(qgroup - _LEVEL)
            self._remove_qgroup(qgroup)

    def remove_strays(self) -> list[str]:
        """Remove our qgroups whose subvolume is not there any more, and return them: `1/260`.

        What others have made is left alone, and what the kernel still takes apart.
        """
        removed = []
        with told(self, "look for qgroups"):
            state = self._state()
            for qgroup in state.marked():
                level, number = divmod(qgroup, _LEVEL)
                if state.used(qgroup) or _ioctl.subvolume_exists(self.root, number):
                    continue
                self._remove_qgroup(qgroup)
                if state.used(qgroup) is None:
                    removed.append(f"{level}/{number}")
        return removed

    def _state(self) -> QuotaState:
        with told(self, "ask for its id"):
            return QuotaState.of(_ioctl.uuid_of(_existing(self.root)))

    def _check_kept(self, group: Group, limit: int, kept: int | None) -> None:
        if kept != limit:
            raise QuotaError(
                f"{self.title}: {limit:,} bytes were set for {group.path.name}, the kernel keeps {kept}"
            )

    def _check_given_back(self, group: Group, qgroup: int) -> None:
        state = self._state()
        held = state.used(qgroup)
        if held and state.mode is self.mode and not state.inconsistent:
            raise QuotaError(
                f"{self.title}: what {group.path.name} held still takes {held:,} bytes, without a name",
                hint="A process may have a file of it open; repeat it when that has ended",
            )

    def _tie(self, group: Group) -> None:
        """Let all folders of the group count for its qgroup, which is made if it is not there."""
        qgroup = _qgroup(group)
        _ioctl.make_qgroup(group.path, qgroup)
        for folder in folders_of(group):
            _ioctl.assign(group.path, _ioctl.subvolume_of(folder), qgroup)
        self._tie_inner(group, qgroup)

    def _tie_inner(self, group: Group, qgroup: int) -> None:
        if self.mode is Mode.QGROUP:  # Simple quotas pass it on to what is made inside.
            for folder in folders_of(group):
                for above, name in inner_subvolumes(folder):
                    _ioctl.assign(group.path, subvolume_in(above, name), qgroup)

    def _count_what_was_there(self, group: Group) -> None:
        folders = folders_of(group)
        if not folders and not uncounted(group.path):
            return
        _ioctl.sync(group.path)
        counted = self._state().used(_qgroup(group)) or 0
        there = sum(size_of(folder) for folder in folders)
        set_uncounted(group.path, max(0, there - counted))

    def _wait_until_cleaned(self, subvolume: int) -> None:
        """Wait until the kernel has taken apart what was removed, which it does in the background."""
        state, end = self._state(), time.monotonic() + _CLEANED
        _ioctl.sync(self.root)
        while state.used(subvolume) and time.monotonic() < end:
            time.sleep(0.005)
        self._remove_qgroup(subvolume)

    def _remove_qgroup(self, qgroup: int) -> None:
        try:
            _ioctl.remove_qgroup(self.root, qgroup)
        except OSError as error:
            # The kernel has done it, quotas are off, or it is not yet counted down, which harms nobody.
            if error.errno not in (errno.ENOENT, errno.ENOTCONN, errno.EINVAL, errno.EBUSY):
                raise


def _qgroup(group: Group) -> int:
    return _LEVEL | _ioctl.subvolume_of(group.path)


def _existing(path: Path) -> Path:
    return path if path.is_dir() else path.parent
