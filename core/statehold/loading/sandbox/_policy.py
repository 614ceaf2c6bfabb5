"""What a process may do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import attrs

from statehold.loading.sandbox._grants import Grant

MIB = 1024 * 1024


def _paths(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(paths)


def _absolute(_policy: object, attribute: attrs.Attribute[tuple[Path, ...]], value: tuple[Path, ...]) -> None:
    for path in value:
        if not path.is_absolute() or ".." in path.parts or path == Path("/"):
            raise ValueError(f"{attribute.name}: an absolute path without '..' and not '/', got {path!r}")


def _at_least(least: int) -> Callable[[object, attrs.Attribute[Any], int | None], None]:
    def check(_policy: object, attribute: attrs.Attribute[Any], value: int | None) -> None:
        if value is not None and value < least:
            raise ValueError(f"{attribute.name}: a number from {least} on, or None, got {value!r}")

    return check


def _grants(network: tuple[str, ...]) -> tuple[str, ...]:
    for text in network:
        Grant.parse(text)
    return tuple(network)


@attrs.frozen(kw_only=True)
class Policy:
    """What a process in the sandbox may use; what is not named here, it may not."""

    data_folders: tuple[Path, ...] = attrs.field(default=(), converter=_paths, validator=_absolute)
    """Read and written; handed to `uid` if the host is root. Must exist."""

    read_only: tuple[Path, ...] = attrs.field(default=(), converter=_paths, validator=_absolute)
    """Files and folders to read, beside what Python itself needs."""

    private: tuple[Path, ...] = attrs.field(default=(), converter=_paths, validator=_absolute)
    """Where the host keeps the data of all apps: of it, nothing but `data_folders` is there."""

    executables: tuple[Path, ...] = attrs.field(default=(), converter=_paths, validator=_absolute)
    """Programs that it may become or start (`execve`) and read: of a script, its interpreter as well."""

    memory_bytes: int | None = attrs.field(default=512 * MIB, validator=_at_least(MIB))
    """What it may allocate beyond what the process has when it enters; more is a `MemoryError`.

    Files that are mapped, and what is reserved or read-only again, may be 512 MiB more (4 GiB for a program).
    """

    cpu_seconds: int | None = attrs.field(default=None, validator=_at_least(1))
    """CPU time of the whole life of the process, all threads together; then the kernel ends it."""

    open_files: int = attrs.field(default=256, validator=_at_least(16))
    """Descriptors that may be open at the same time, those that are kept included."""

    processes: int = attrs.field(default=0, validator=_at_least(0))
    """Further processes that it may fork, at a time; none unless granted."""

    threads: int = attrs.field(default=1024, validator=_at_least(1))
    """Threads at a time; counted together for all processes of one `uid`."""

    file_bytes: int | None = attrs.field(default=None, validator=_at_least(0))
    """The size that a single file may reach; writing more is an `OSError` (EFBIG)."""

    tmp_bytes: int = attrs.field(default=64 * MIB, validator=_at_least(0))
    """The size of its private /tmp, which is memory of the machine."""

    network: tuple[str, ...] = attrs.field(default=(), converter=_grants)
    """Hosts that it may open TCP connections to: "host:port" or "host" (any port), by name or address."""

    uid: int | None = attrs.field(default=None, validator=_at_least(1))
    """The user and group it becomes if the host is root, see `app_uid`; None: one for all such processes."""
