from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import attrs

from statehold_aos._service_storage._config import ServiceStorageConfig
from statehold_aos._service_storage._entry import SERVICE, Claim, Entry, Owner, owner_of
from statehold_aos._service_storage._names import folder_name
from statehold_quota import (
    Backend,
    Fitted,
    Group,
    QuotaError,
    QuotaFullError,
    UserQuota,
    change_owner,
    fit,
    mounts_under,
)

_LOST: Final = "lost+found"  # Every ext4 has it.


@attrs.frozen(kw_only=True)
class Folders:
    """The folders of the claims on the disk, and who keeps their limits.

    What makes something may be repeated, and finishes what was half done.

    Attributes:
        root: what all of them lie in.
        backend: who keeps the limits.

    """

    root: Path
    backend: Backend
    config: ServiceStorageConfig

    def group(self, claim: Claim, service: Entry | None) -> Group:
        """Return the group of the claim's service."""
        uid = service.uid if service else None
        return Group(self.root / str(claim.wsid) / folder_name(claim.service), uid)

    def path(self, claim: Claim) -> Path:
        """Return where the folder of a claim is, or that of a service with those of all its claims."""
        above = self.group(claim, None).path
        return above if claim.users == SERVICE else above / folder_name(claim.users)

    def asked(self, service: Entry | None) -> int:
        """Return the limit that a service asks for."""
        given = service.storage_limit if service else None
        return self.config.DefaultLimit if given is None else given

    def fitted(self, service: Entry | None) -> Fitted:
        """Return the limit that is kept for it."""
        return fit(self.backend, self.asked(service))

    def stored(self, service: Entry | None) -> bool:
        """Whether the service is to have folders at all: a limit of 0 may mean that it is not."""
        return self.asked(service) > 0 or self.config.ZeroLimit == "keep"

    def bring(self, of_service: Claim, entries: Mapping[Claim, Entry]) -> list[Claim]:
        """Make the folders, owners and the limit of a service as its entries say; return what was not there.

        Raises:
            QuotaError: something of that cannot be done; the others of the service may be as they were.

        """
        service = entries.get(of_service)
        group = self.group(of_service, service)
        self.root.mkdir(exist_ok=True)
        group.path.parent.mkdir(mode=0o711, exist_ok=True)
        self.backend.make_group(group)
        self.limit(group, service)
        if not self.stored(service):
            return []
        claims = [claim for claim in entries if claim.users != SERVICE]
        made = [claim for claim in claims if not os.path.lexists(self.path(claim))]
        for claim in claims:
            self.bring_claim(group, claim, entries[claim], service)
        return made

    def bring_claim(self, group: Group, claim: Claim, entry: Entry, service: Entry | None) -> None:
        """Make the folder of one claim, in a group that is there."""
        folder = self.path(claim)
        if os.path.lexists(folder) and not stat.S_ISDIR(folder.lstat().st_mode):
            raise QuotaError(f"{folder} is no folder")
        owner = owner_of(entry, service)
        if isinstance(self.backend, UserQuota) and owner.uid != group.uid:
            raise QuotaError(
                f"the folder of user {owner.uid} would not count for its service, which has {group.uid}",
                hint="With user quotas, only the service has a Uid",
            )
        _give(self.backend.make_folder(group, folder.name), owner)

    def find(self, of_service: Claim) -> None:
        """Make visible what there is of a service, which after a restart may not be mounted."""
        group = self.group(of_service, None)
        if group.path.exists():
            self.backend.make_group(group)

    def limit(self, group: Group, service: Entry | None) -> None:
        """Set the limit of a service, unless that is what is kept."""
        limit = self.fitted(service).limit
        if not self.backend.keeps(group, limit):
            try:
                self.backend.set_limit(group, limit)
            except QuotaFullError:
                # Nothing is handed out then, and what is there stays where it is.
                if self.asked(service) > 0:
                    raise

    def give_back(self, claim: Claim, uid: int | None, gid: int | None, owner: Owner) -> None:
        """Take from a new owner what is his already, because it is to stay the old one's."""
        folder, new = self.path(claim), (_uid(uid), _gid(gid))
        if folder.is_dir() and new != (_uid(owner.uid), _gid(owner.gid)):
            _change(folder, new, owner)

    def unmake(self, claim: Claim, service: Entry | None) -> None:
        """Remove what was made for a claim that is not to be; a service only where it has no folder left."""
        group = self.path(claim.of_service)
        empty = not group.exists() or all(each.name == _LOST for each in group.iterdir())
        if claim.users != SERVICE or empty:
            self.remove(claim, service)

    def remove(self, claim: Claim, service: Entry | None) -> None:
        """Remove the folder of a claim, or that of a service with all its claims."""
        group = self.group(claim, service)
        if claim.users != SERVICE and not group.path.exists():
            return
        if mounts := mounts_under(self.path(claim)):
            raise QuotaError(f"{mounts[0].point} is mounted in it")
        if claim.users == SERVICE:
            self.backend.remove_group(group)
        else:
            self.backend.make_group(group)
            self.backend.remove_folder(group, folder_name(claim.users))


def services(claims: Iterable[Claim]) -> list[Claim]:
    """Return the services of *claims*, each once, in the order in which they come first."""
    return list(dict.fromkeys(claim.of_service for claim in claims))


def _give(folder: Path, owner: Owner) -> None:
    """Let a folder and what is in it belong to *owner*, if it belonged to another one."""
    try:
        found = folder.lstat()
        if (found.st_uid, found.st_gid) != (_uid(owner.uid), _gid(owner.gid)):
            _change(folder, (found.st_uid, found.st_gid), owner)
        if stat.S_IMODE(found.st_mode) != owner.mode:
            _change_mode(folder, owner.mode)
    except OSError as error:
        raise QuotaError(f"cannot make {folder} that of its owner: {error.strerror}") from error


def _change(folder: Path, before: tuple[int, int], owner: Owner) -> None:
    change_owner(folder, before=before, after=(_uid(owner.uid), _gid(owner.gid)))


def _change_mode(folder: Path, mode: int) -> None:
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        os.fchmod(held, mode)
    finally:
        os.close(held)


def _uid(uid: int | None) -> int:
    return os.geteuid() if uid is None else uid


def _gid(gid: int | None) -> int:
    return os.getegid() if gid is None else gid
