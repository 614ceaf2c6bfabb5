"""What Python needs of the machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from statehold.loading.sandbox._lack import Lack

_SYSTEM = (
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/bin",
    "/sbin",
    "/nix/store",
    "/gnu/store",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
)
DEVICES = ("/dev/null", "/dev/random", "/dev/urandom")
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1")


@attrs.frozen
class Needed:
    """What Python reads, each with the real path that it leads to; modules may lie elsewhere than they should."""

    always: tuple[tuple[str, str], ...]
    modules: tuple[tuple[str, str], ...]
    home: str
    """Of the user; empty if there is none."""


@attrs.frozen
class Readable:
    """What can be read: real paths, none within another, and the links that lead there."""

    paths: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    lacking: tuple[Lack, ...]


def needed() -> Needed:
    """Return what Python needs here; a process that forks others asks once."""
    always = (*_SYSTEM, sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix)
    modules = (path for path in sys.path if os.path.isabs(path))
    home = os.path.expanduser("~")
    return Needed(_resolved(always), _resolved(modules), os.path.realpath(home) if os.path.isabs(home) else "")


def readable(python: Needed, extra: Iterable[Path], private: Sequence[str]) -> Readable:
    """Return what *python* and *extra* need, but no modules from where a folder of *private*, or a home, is.

    FileNotFoundError if one of *extra* is not there.
    """
    wanted = dict(python.always)
    lacking = []
    for path, real in python.modules:
        held = next((each for each in (*private, python.home) if each and _within(each, real)), None)
        if held is None:
            wanted[path] = real
        else:
            reason = f"what is in {path} cannot be imported: it holds {held}"
            lacking.append(Lack("modules", reason, opens=False))
    for each in extra:
        wanted[str(each)] = os.path.realpath(each, strict=True)
    tops: list[str] = []
    for real in sorted(set(wanted.values()), key=lambda text: text + "/"):
        if not tops or not _within(real, tops[-1]):
            tops.append(real)
    links = tuple((path, real) for path, real in wanted.items() if path != real)
    return Readable(tuple(tops), links, tuple(lacking))


def executable(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return *paths* with what the kernel starts along with them."""
    return (*map(str, paths), *_LOADERS) if paths else ()


def _resolved(paths: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((path, os.path.realpath(path)) for path in dict.fromkeys(paths) if os.path.exists(path))


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
