from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from statehold_qsfs.stack._errors import StackConfigError

_T = TypeVar("_T")
_UNITS: Final = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SIZE: Final = re.compile(r"(\d+)\s*([KMGT]iB)?")


class Fsync(StrEnum):
    """What a file's `fsync` waits for."""

    #: The disk of this machine; what the machine has not sent yet is lost with it.
    LOCAL = "local"
    #: The disk of this machine and the backends; nothing is lost with the machine.
    QUORUM = "quorum"


class Local(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What lies on this machine.

    Attributes:
        folder: where.
        limit: the bytes that its data may take; beyond them what the backends have is deleted here.
        segment: the bytes of a file of data, which are sent and deleted together.

    """

    folder: Path
    limit: int
    segment: int


class Durability(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is lost, at most.

    Attributes:
        fsync: what a file's `fsync` waits for.
        window: the most seconds of unsynced writes that are lost with the machine, while the backends are up.
        timeout: for `quorum`, the seconds after which an `fsync` that the backends do not answer fails.
        monitor: whether the backends are watched and repaired here, too; else `statehold zstor monitor` does.

    """

    fsync: Fsync = Fsync.LOCAL
    window: float = 10.0
    timeout: float = 60.0
    monitor: bool = True


class Mount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the files are seen.

    Attributes:
        point: the folder; None for no mount.

    """

    point: Path | None = None


# Made here: two threads that are the first to convert to a class would end the process.
_LEARNED: Final = tuple(msgspec.json.Decoder(kind) for kind in (Local, Durability, Mount))


class StackConfig(msgspec.Struct, frozen=True, kw_only=True):
    """All that a filesystem is made of, as one TOML file says it.

    Attributes:
        zstor: the configuration of zstor: its file, or the table itself.
        local: what lies on this machine.
        durability: what is lost, at most.
        mount: where the files are seen.
        folder: what paths in the table of zstor are relative to.

    """

    zstor: Path | Mapping[str, Any]
    local: Local
    durability: Durability = Durability()
    mount: Mount = Mount()
    folder: Path = Path()

    @classmethod
    def read(cls, path: Path) -> StackConfig:
        """Return what the file says; paths in it are relative to its folder.

        Raises:
            StackConfigError: it cannot be read, or a field is unknown, missing or not what it must be.

        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise StackConfigError(f"cannot read {path}: {error}") from error
        return cls.of(table, folder=path.absolute().parent, source=str(path))

    @classmethod
    def of(cls, table: Mapping[str, Any], *, folder: Path, source: str = "the configuration") -> StackConfig:
        """Return what a table says; as `read`."""
        problems: list[str] = []
        unknown = sorted(set(table) - {"zstor", "local", "durability", "mount"})
        problems += [f"[{name}] is unknown: there are zstor, local, durability, mount" for name in unknown]
        zstor = _table(table, "zstor", problems)
        file = zstor.get("file", "")
        if "file" in zstor and (not isinstance(file, str) or not file or len(zstor) > 1):
            problems.append(f"zstor.file: expected a path, and nothing else in [zstor], got {file!r}")
        local = _table(table, "local", problems)
        for name, default in (("limit", "10 GiB"), ("segment", "32 MiB")):
            try:
                local[name] = size_of(local.get(name, default))
            except ValueError as error:
                problems.append(f"local.{name}: {error}")
                local[name] = 0
        made_local = _made(local, Local, "local", problems)
        durability = _made(
            _table(table, "durability", problems, needed=False), Durability, "durability", problems
        )
        mount = _made(_table(table, "mount", problems, needed=False), Mount, "mount", problems)
        if durability is not None:
            problems += [
                f"durability.{name}: expected 1 to 86400 seconds, got {seconds:g}"
                for name, seconds in (("window", durability.window), ("timeout", durability.timeout))
                if not 1 <= seconds <= 86_400
            ]
        if made_local is not None and made_local.limit and made_local.segment:
            if not 2**19 <= made_local.segment <= 2**30:
                problems.append("local.segment: expected 512 KiB to 1 GiB")
            elif made_local.limit < 4 * made_local.segment:
                problems.append("local.limit: expected at least four times local.segment")
        if problems or made_local is None or durability is None or mount is None:
            raise StackConfigError(f"{source}: {'; '.join(problems)}", hint="See docs/qsfs.md for the fields")
        return cls(
            zstor=folder / file if file else zstor,
            local=msgspec.structs.replace(made_local, folder=folder / made_local.folder),
            durability=durability,
            mount=Mount(point=folder / mount.point if mount.point is not None else None),
            folder=folder,
        )


def size_of(value: object) -> int:
    """Return the bytes of `"10 GiB"`, `"512 KiB"` or a number; ValueError for anything else."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or not int(match[1]):
        raise ValueError(f'expected bytes, as 1073741824 or "1 GiB", got {value!r}')
    return int(match[1]) * _UNITS[match[2] or ""]


def _table(
    table: Mapping[str, Any], name: str, problems: list[str], *, needed: bool = True
) -> dict[str, Any]:
    found = table.get(name)
    if found is None and not needed:
        return {}
    if not isinstance(found, Mapping) or (needed and not found):
        problems.append(f"[{name}]: expected a table, got {'nothing' if not found else repr(found)}")
        return {}
    return dict(found)


def _made(table: dict[str, Any], kind: type[_T], name: str, problems: list[str]) -> _T | None:
    try:
        return msgspec.convert(table, kind, dec_hook=_path)
    except msgspec.ValidationError as error:
        problems.append(f"{name}: {error}")
        return None


def _path(kind: type, value: object) -> Path:
    if kind is not Path or not isinstance(value, str) or not value:
        raise msgspec.ValidationError(f"expected a path, got {value!r}")
    return Path(value)
