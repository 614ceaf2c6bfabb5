from __future__ import annotations

from typing import Final, NamedTuple

import attrs

#: What stands for the service itself, in place of the users of a claim.
SERVICE: Final = ""
_MODE: Final = 0o700


class Claim(NamedTuple):
    """Which folder is meant; without users, the service itself."""

    wsid: int
    service: str
    users: str

    @property
    def of_service(self) -> Claim:
        """The service that the claim is for."""
        return self._replace(users=SERVICE)


@attrs.frozen
class Entry:
    """What was asked for, of a service or of a claim; None: as the service has it, or as is usual."""

    storage_limit: int | None = None
    uid: int | None = None
    gid: int | None = None
    mode: int | None = None


@attrs.frozen
class Owner:
    """Whose a folder is, and who may enter it; a user or group of None is that of the process."""

    uid: int | None
    gid: int | None
    mode: int


def owner_of(claim: Entry, service: Entry | None) -> Owner:
    """Return whose the folder of a claim is: what the claim does not say, its service says."""
    above = service or Entry()
    uid = above.uid if claim.uid is None else claim.uid
    gid = above.gid if claim.gid is None else claim.gid
    mode = above.mode if claim.mode is None else claim.mode
    return Owner(uid, uid if gid is None else gid, _MODE if mode is None else mode)
