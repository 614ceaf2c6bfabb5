from __future__ import annotations

import itertools
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal

import msgspec

from statehold.sdk import StorageError

CONFIG: Final = "config.json"
#: The name of the file in a claim's folder; a service sees the folder, so that it can replace the file.
STATE: Final = "state.dat"
_LARGEST: Final = 65_536
_KEPT: Final = ("/", "/proc", "/sys", "/dev", "/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64")

_Size = Annotated[int, msgspec.Meta(ge=0, le=2**50)]
_Number = Annotated[int, msgspec.Meta(ge=0, le=2**20)]
_Seconds = Annotated[float, msgspec.Meta(ge=0.01, le=86_400)]
_Id = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 2)]


class Quotas(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What a service may take; 0: without storage, without state, and for all others without a limit.

    Attributes:
        storage_limit: bytes of its storage, of all claims together.
        state_limit: bytes of the state of each claim.
        tmp_limit: bytes of a /tmp of its own.
        ram_limit: bytes of memory.
        cpu_limit: percent of one core.
        pids_limit: processes.
        no_file_limit: files that each of its processes may have open.

    """

    storage_limit: _Size = 0
    state_limit: Annotated[int, msgspec.Meta(ge=0, le=2**30)] = 0
    tmp_limit: _Size = 0
    ram_limit: _Size = 0
    cpu_limit: _Number = 0
    pids_limit: _Number = 0
    no_file_limit: _Number = 0


class RunParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """When a service that ends is started again.

    Attributes:
        start_interval: seconds in which
        start_burst: so many starts are tried; then it has failed.
        restart_interval: seconds before the first further start; each one after it waits twice as long.

    """

    start_interval: _Seconds = 60.0
    start_burst: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    restart_interval: _Seconds = 1.0


class ServiceConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The `config.json` of a service's image.

    Attributes:
        version: grows with each one.
        command: the program: a path as the service sees it, or a name that is looked for in its PATH.
        args: its arguments.
        env: variables beyond PATH, HOME, LANG and those that say where its folders are.
        provider: who has made it.
        image_path: where the service sees its image, read-only.
        working_dir: where it works; by default in its image.
        storage_path: where it sees its storage folder.
        state_path: where it sees its state file; by default in its storage folder.
        uid: its user, one of those that the launcher gives; by default the launcher chooses.
        gid: its group; by default as the user.
        priority: services of lower numbers start before those of higher ones, and stop after them.
        ttl_days: how long it stays when no current claim has it; 0: as the launcher is configured.
        restart: when it is started again.
        stop_seconds: how long it may take to end when it is asked to.
        quotas: what it may take.
        run_parameters: how often it is started again.

    """

    version: Annotated[int, msgspec.Meta(ge=0, le=2**62)]
    command: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    args: tuple[str, ...] = ()
    env: dict[str, str] = msgspec.field(default_factory=dict)
    provider: str = ""
    image_path: str = "/service"
    working_dir: str = ""
    storage_path: str = "/storage"
    state_path: str = ""
    uid: _Id | None = None
    gid: _Id | None = None
    priority: Annotated[int, msgspec.Meta(ge=-1000, le=1000)] = 0
    ttl_days: _Number = 0
    restart: Literal["always", "on-failure", "never"] = "always"
    stop_seconds: _Seconds = 5.0
    quotas: Quotas = msgspec.field(default_factory=Quotas)
    run_parameters: RunParameters = msgspec.field(default_factory=RunParameters)

    @property
    def state_folder(self) -> str:
        """Where the service sees the folder of its state file."""
        return str(PurePosixPath(self.state_path).parent) if self.state_path else self.storage_path

    @property
    def has_folder(self) -> bool:
        """Whether it has a folder at all: for its storage, or for its state."""
        return self.quotas.storage_limit > 0 or self.quotas.state_limit > 0


# Made here: two threads that are the first to decode a type would end the process.
_decode: Final = msgspec.json.Decoder(ServiceConfig).decode


def read_config(folder: Path) -> ServiceConfig:
    """Return the `config.json` of an image.

    Raises:
        StorageError: there is none, or it says what cannot be.

    """
    file = folder / CONFIG
    if not folder.is_dir():
        raise StorageError(f"there is no image of a service at {folder}")
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST + 1)
    except OSError as error:
        raise StorageError(
            f"the image {folder.name!r} has no {CONFIG} that can be read: {error.strerror}"
        ) from error
    if len(data) > _LARGEST:
        raise StorageError(f"{CONFIG} of {folder.name!r} is larger than {_LARGEST:,} bytes")
    try:
        config = _decode(data)
    except msgspec.DecodeError as error:
        raise StorageError(f"{CONFIG} of {folder.name!r}: {error}") from error
    _check(folder.name, config)
    return config


def _check(name: str, config: ServiceConfig) -> None:
    paths = {
        "imagePath": config.image_path,
        "storagePath": config.storage_path,
        "statePath": config.state_path or f"{config.storage_path}/{STATE}",
        "workingDir": config.working_dir or config.image_path,
    }
    for field, path in paths.items():
        if path != str(PurePosixPath(path)) or not path.startswith("/") or ".." in path.split("/"):
            raise StorageError(f"{CONFIG} of {name!r}: {field} is {path!r}, expected an absolute path")
    if PurePosixPath(paths["statePath"]).name != STATE:
        raise StorageError(
            f"{CONFIG} of {name!r}: statePath is {config.state_path!r}, expected a file {STATE}",
            hint="The service sees the folder of the file, where it has this name, so that it can replace it",
        )
    shown = {"imagePath": config.image_path, "storagePath": config.storage_path}
    if config.state_folder != config.storage_path:
        shown["statePath"] = config.state_folder
    for field, path in shown.items():
        if path in _KEPT:
            raise StorageError(f"{CONFIG} of {name!r}: {field} would hide {path} of the system")
    for one, two in itertools.permutations(shown, 2):
        if PurePosixPath(shown[one]).is_relative_to(shown[two]):
            raise StorageError(f"{CONFIG} of {name!r}: {one} lies in {two}, expected folders of their own")
    texts = (config.command, *config.args, *config.env, *config.env.values())
    if any("\0" in text for text in texts) or any("=" in each or not each for each in config.env):
        raise StorageError(f"{CONFIG} of {name!r}: command, args or env have what no process can be given")
