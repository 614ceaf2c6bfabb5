from __future__ import annotations

import hashlib
import io
import re
import sys
import threading
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.util import decode_source
from pathlib import Path, PurePosixPath
from types import CodeType
from typing import Final

import attrs

from statehold.sdk import PluginError

# What the host provides: a copy in a plugin would be a second SDK, whose classes the host does not know.
_OF_THE_HOST: Final = frozenset({"statehold", "statehold_vsql"})
_MOVED: Final = re.compile(r"[^/]+\.data/(purelib|platlib)/.")
_NATIVE: Final = (".so", ".pyd", ".dylib", ".dll")
_MAX_FILES: Final = 20_000
_MAX_BYTES: Final = 256 * 1024 * 1024


@attrs.frozen
class Member:
    """A module of an archive.

    `file` is the file it is in, None for a folder without `__init__.py`; `folder` is where the modules and
    resources of a package are, of any other module those beside it.
    """

    file: str | None
    is_package: bool
    folder: str


@attrs.frozen(kw_only=True)
class Metadata:
    """What a `*.dist-info` folder of an archive says."""

    folder: str
    name: str
    version: str
    entry_points: Mapping[str, Mapping[str, str]]


class Archive:
    """Code in memory: its modules, compiled once, its resources and its metadata.

    Nothing done to a file later reaches what runs.

    Args:
        path: where it comes from; tracebacks show its files below that.
        what: what it is, for messages: `the plugin file /x/scada.whl`.
        data: the bytes of a zip.
        packages: the folder of each top-level package; None where packages are folders at the root.

    """

    def __init__(
        self, path: Path, data: bytes, *, what: str, packages: Mapping[str, str] | None = None
    ) -> None:
        self.path = path
        self.what = what
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except Exception as error:
            raise PluginError(
                f"{what} cannot be opened: {error}",
                hint="A plugin file is a wheel, or a zip with a *.dist-info folder",
            ) from error
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.names = frozenset(_checked(what, self._zip.infolist()))
        self.modules = _modules(self.names) if packages is None else _packaged(self.names, packages)
        self.tops = frozenset(name for name in self.modules if "." not in name)
        self.metadata = tuple(
            self._metadata(name.partition("/")[0])
            for name in sorted(self.names)
            if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)
        )
        self._code: dict[str, CodeType] = {}
        self._lock = threading.Lock()

    @property
    def zip(self) -> zipfile.ZipFile:
        """The archive itself, to walk through its resources."""
        return self._zip

    def read(self, name: str) -> bytes:
        """Return the content of the member *name*; OSError where there is none."""
        try:
            return self._zip.read(name)
        except KeyError:
            raise FileNotFoundError(2, "no such file in the plugin", f"{self.path}/{name}") from None
        except Exception as error:
            raise PluginError(
                f"{self.what} is damaged: {name} cannot be read: {error}",
                hint="Build it again",
            ) from error

    def source(self, module: str) -> str:
        """Return the source text of *module*, empty for a folder without `__init__.py`."""
        file = self.modules[module].file
        return "" if file is None else decode_source(self.read(file))

    def location(self, module: str) -> str:
        """Return the path that tracebacks show for *module*."""
        member = self.modules[module]
        return f"{self.path}/{member.file or member.folder}"

    def code(self, module: str) -> CodeType:
        """Return the code object of *module*, shared by all that load this archive."""
        code = self._code.get(module)
        if code is None:
            with self._lock:
                file = self.modules[module].file
                source = b"" if file is None else self.read(file)
                code = compile(source, self.location(module), "exec", dont_inherit=True)
                self._code[module] = code
        return code

    def _metadata(self, folder: str) -> Metadata:
        headers: dict[str, list[str]] = {}
        for line in self._text(f"{folder}/METADATA").splitlines():
            if not line.strip():
                break
            name, colon, value = line.partition(":")
            if colon:
                headers.setdefault(name.strip().lower(), []).append(value.strip())
        if not {"name", "version"} <= headers.keys():
            raise PluginError(
                f"{self.what} is damaged: {folder}/METADATA gives no name and version",
                hint="Build it again",
            )
        groups: dict[str, dict[str, str]] = {}
        group: dict[str, str] = {}
        if f"{folder}/entry_points.txt" in self.names:
            for line in map(str.strip, self._text(f"{folder}/entry_points.txt").splitlines()):
                if line.startswith("[") and line.endswith("]"):
                    group = groups.setdefault(line[1:-1].strip(), {})
                elif line and line[0] not in "#;":
                    name, _, value = line.partition("=")
                    group[name.strip()] = value.strip()
        return Metadata(
            folder=folder,
            name=headers["name"][0],
            version=headers["version"][0],
            entry_points=groups,
        )

    def _text(self, name: str) -> str:
        return self.read(name).decode("utf-8", "replace")


def open_archive(path: Path) -> Archive:
    """Return the archive at *path*, the one opened before if the file is still the same.

    Raises:
        PluginError: there is none, it is damaged or hostile, or holds compiled extensions.

    """
    try:
        stat = path.stat()
    except OSError as error:
        raise PluginError(f"the plugin file {path} cannot be opened: {error.strerror}") from error
    return _open(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


# Versions that are upgraded and rolled back load the same few files again and again.
@lru_cache(maxsize=16)
def _open(path: Path, inode: int, size: int, changed: int) -> Archive:  # noqa: ARG001 - they are the key
    what = f"the plugin file {path}"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise PluginError(f"{what} cannot be opened: {error.strerror}") from error
    return Archive(path, data, what=what)


def forget_archives() -> None:
    """Open the next archive anew, whatever was opened before."""
    _open.cache_clear()


def pack(path: Path, files: Mapping[str, bytes], *, what: str, packages: Mapping[str, str]) -> Archive:
    """Return *files* as an archive: each of *packages* is a top-level package in its folder."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name), data)
    return Archive(path, buffer.getvalue(), what=what, packages=packages)


def _checked(what: str, members: list[zipfile.ZipInfo]) -> list[str]:
    names = [member.filename for member in members]
    for name in names:
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise PluginError(f"{what} is hostile: it holds {name!r}")
    if len(set(names)) != len(names):
        raise PluginError(f"{what} is damaged: it holds a name twice")
    if len(names) > _MAX_FILES or sum(member.file_size for member in members) > _MAX_BYTES:
        raise PluginError(
            f"{what} is too large: at most {_MAX_FILES} files of together "
            f"{_MAX_BYTES // 1024 // 1024} MiB are allowed"
        )
    native = [name for name in names if name.endswith(_NATIVE) or ".so." in name]
    if native:
        raise PluginError(
            f"{what} holds compiled extensions ({', '.join(native[:3])}), which cannot be "
            "loaded privately: a process has each only once, and never lets go of it",
            hint="Install what has them beside Statehold and leave it out of the plugin file, "
            "or run the plugin in a sidecar",
        )
    bare = [name for name in names if name.endswith(".pyc") and "__pycache__" not in name]
    if bare:
        raise PluginError(
            f"{what} holds compiled code without its source ({', '.join(bare[:3])})",
            hint="Build it with the sources",
        )
    moved = [name for name in names if _MOVED.match(name)]
    if moved:
        raise PluginError(
            f"{what} keeps code where only an installer finds it ({', '.join(moved[:3])})",
            hint="Build a pure wheel, with its packages at the top (Root-Is-Purelib: true)",
        )
    return [name for name in names if not name.endswith("/")]


def _modules(names: Iterable[str]) -> dict[str, Member]:
    modules: dict[str, Member] = {}
    for name in names:
        *folders, file = name.removesuffix(".py").split("/")
        path = folders if file == "__init__" else [*folders, file]
        if not name.endswith(".py") or not path or not all(part.isidentifier() for part in path):
            continue
        if path[0] in _OF_THE_HOST or path[0] in sys.stdlib_module_names:
            continue
        known = modules.get(".".join(path))
        if known is None or known.file is None or file == "__init__":
            modules[".".join(path)] = Member(name, file == "__init__", "/".join(folders))
        for end in range(1, len(path)):
            modules.setdefault(".".join(path[:end]), _folder(path[:end]))
    # A folder of nothing but data is a package, too: `files("scada.data")` finds it.
    for name in names:
        folders = name.split("/")[:-1]
        top = modules.get(folders[0]) if folders else None
        if top and top.is_package and "__pycache__" not in folders and all(map(str.isidentifier, folders)):
            for end in range(2, len(folders) + 1):
                modules.setdefault(".".join(folders[:end]), _folder(folders[:end]))
    return modules


def _folder(path: Sequence[str]) -> Member:
    return Member(None, is_package=True, folder="/".join(path))


def _packaged(names: frozenset[str], packages: Mapping[str, str]) -> dict[str, Member]:
    """Return the modules of packages whose folders are somewhere in the archive."""
    modules: dict[str, Member] = {}
    for package, folder in packages.items():
        own = [f"{package}{name.removeprefix(folder)}" for name in names if name.startswith(f"{folder}/")]
        for module, member in _modules(own).items():
            modules[module] = Member(
                None if member.file is None else f"{folder}{member.file.removeprefix(package)}",
                member.is_package,
                f"{folder}{member.folder.removeprefix(package)}",
            )
    return modules
