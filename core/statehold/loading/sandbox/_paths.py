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
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/localtime",
)
DEVICES = ("/dev/null", "/dev/random", "/dev/urandom")
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1")


@attrs.frozen
class Needed:
    """What Python reads, each path with the real one that it leads to."""

    always: tuple[tuple[str, str], ...]
    modules: tuple[tuple[str, str], ...]
    """Folders that it imports from; they may lie anywhere."""
    home: str
    """Of the user; empty if there is none."""


@attrs.frozen
class Readable:
    """What can be read: real paths, none within another, and the links that lead there."""

    paths: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    covered: tuple[str, ...]
    """What lies within `paths` and must not be read nevertheless."""
    lacking: tuple[Lack, ...]


def needed() -> Needed:
    """Return what Python needs here; a process that forks others asks once."""
    always = (*_SYSTEM, sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix)
    modules = (path for path in sys.path if path.startswith("/"))
    try:
        home = os.path.realpath(Path.home())
    except RuntimeError:
        home = ""
    return Needed(_resolved(always), _resolved(modules), home)


def readable(python: Needed, extra: Iterable[Path], data: Sequence[str], private: Sequence[str]) -> Readable:
    """Return what *python* and *extra* need, but no modules from where *data*, *private* or a home lies.

    FileNotFoundError if one of *extra* is not there.
    """
    wanted = dict(python.always)
    lacking = []
    for path, real in python.modules:
        held = next((each for each in (*data, *private, python.home) if each and _within(each, real)), None)
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
    covered = tuple(path for path in private if any(_within(path, top) for top in tops))
    return Readable(tuple(tops), links, covered, tuple(lacking))


def executable(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return *paths* with what the kernel starts along with them."""
    return (*map(str, paths), *_LOADERS) if paths else ()


def _resolved(paths: Iterable[str]) -> tuple[tuple[str, str], ...]:
    return tuple((path, os.path.realpath(path)) for path in dict.fromkeys(paths) if Path(path).exists())


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
