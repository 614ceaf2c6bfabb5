from __future__ import annotations

from enum import StrEnum
from pathlib import Path, PurePosixPath

import attrs

from statehold_aos.gateway import ClaimId
from statehold_aos.launcher._image import STATE, ServiceConfig
from statehold_aos.launcher._journal import ServiceId
from statehold_aos.launcher._log import ServiceLog
from statehold_aos.launcher._processes import Bind, Fallback, Process, Spec

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Phase(StrEnum):
    """What a service is doing."""

    WAITING = "waiting"
    HELD = "held"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    RESTARTING = "restarting"
    FAILED = "failed"
    ENDED = "ended"
    INSTALLED = "installed"


@attrs.frozen(kw_only=True)
class Wanted:
    """A service as it is to be at work; another one of these means a restart.

    Attributes:
        claim: for whom.
        place: its image.
        config: of that image.
        uid: its user; None: the host's.
        gid: its group.
        turn: grows when somebody wants a restart.

    """

    claim: ClaimId
    place: Path
    config: ServiceConfig
    uid: int | None
    gid: int | None
    turn: int = 0

    @property
    def id(self) -> ServiceId:
        """Which service."""
        return ServiceId(self.claim.workspace, self.claim.service)


@attrs.define(eq=False, kw_only=True)
class Unit:
    """A service that is at work, or is to be.

    Attributes:
        wanted: as which it was begun.
        log: what it writes.
        phase: what it does.
        process: while there is one.
        number: grows with each start of any service.
        due: when something is to be done about it, in seconds of a clock that does not jump.
        since: when it got into its phase, in milliseconds since 1970.
        starts: when it was started lately.
        failures: how often it has failed since it was well.
        restarts: how often it was started again.
        message: what is wrong, for people.
        is_up: whether the program is there.
        is_killed: whether it does not end by itself.

    """

    wanted: Wanted
    log: ServiceLog
    phase: Phase = Phase.WAITING
    process: Process | None = None
    number: int = 0
    due: float | None = None
    since: int = 0
    starts: list[float] = attrs.field(factory=list)
    failures: int = 0
    restarts: int = 0
    message: str = ""
    is_up: bool = False
    is_killed: bool = False


@attrs.frozen(kw_only=True)
class Status:
    """How a service is.

    Attributes:
        workspace: where.
        service: which.
        version: that is at work, else the one that is installed.
        users: whose claim it works for; empty where it does not.
        phase: what it does.
        since: since when, in milliseconds since 1970; 0: it is not known.
        pid: of its process.
        restarts: how often it was started again.
        message: what is wrong.

    """

    workspace: int
    service: str
    version: int
    users: str = ""
    phase: Phase = Phase.INSTALLED
    since: int = 0
    pid: int | None = None
    restarts: int = 0
    message: str = ""


def spec_of(wanted: Wanted, folder: Path | None) -> Spec:
    """Return how a service is started; *folder* is that of its claim."""
    config, quotas = wanted.config, wanted.config.quotas
    binds = [Bind(wanted.place, config.image_path, read_only=True)]
    env = {
        "PATH": _PATH,
        "LANG": "C.UTF-8",
        "AOS_SERVICE": wanted.claim.service,
        "AOS_USERS": wanted.claim.users,
    }
    env |= {"HOME": config.image_path, "AOS_IMAGE_FOLDER": config.image_path}
    plain = {**env, "HOME": str(wanted.place), "AOS_IMAGE_FOLDER": str(wanted.place)}
    if folder is not None and quotas.storage_limit:
        binds.append(Bind(folder, config.storage_path))
        env |= {"HOME": config.storage_path, "AOS_STORAGE_FOLDER": config.storage_path}
        plain |= {"HOME": str(folder), "AOS_STORAGE_FOLDER": str(folder)}
    if folder is not None and quotas.state_limit:
        if not quotas.storage_limit or config.state_folder != config.storage_path:
            binds.append(Bind(folder, config.state_folder))
        env["AOS_STATE_FILE"] = str(PurePosixPath(config.state_folder, STATE))
        plain["AOS_STATE_FILE"] = str(folder / STATE)
    command = (config.command, *config.args)
    return Spec(
        name=f"{wanted.claim.workspace}/{wanted.claim.service}",
        command=command,
        env={**env, **config.env},
        folder=config.working_dir or config.image_path,
        uid=wanted.uid,
        gid=wanted.gid,
        binds=binds,
        fallback=Fallback(
            command=[_real(each, wanted) for each in command],
            env={**plain, **config.env},
            folder=_real(config.working_dir or config.image_path, wanted),
        ),
        tmp_bytes=quotas.tmp_limit,
        ram_bytes=quotas.ram_limit,
        cpu_percent=quotas.cpu_limit,
        processes=quotas.pids_limit,
        files=quotas.no_file_limit,
    )


def _real(text: str, wanted: Wanted) -> str:
    """Return where what a service sees in its image is on the host."""
    path = PurePosixPath(text)
    if path.is_relative_to(wanted.config.image_path):
        return str(wanted.place / path.relative_to(wanted.config.image_path))
    return text
