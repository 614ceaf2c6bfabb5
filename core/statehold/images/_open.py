from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType
from typing import IO

import attrs

from statehold.images._archive import Archive, Budget, RefusedError, check_nested, open_archive
from statehold.images._descriptor import parse_descriptor
from statehold.images._folder import FolderContents, scan
from statehold.images._image import AppImage, Contents
from statehold.images._layout import (
    DESCRIPTOR,
    MANIFEST,
    Layout,
    PluginFile,
    PluginKind,
    check_layout,
    lay_out,
    plugin_kind,
)
from statehold.images._limits import ImageLimits
from statehold.images._manifest import FileEntry, Manifest, compare, content_digest, parse_manifest
from statehold.images._names import APP, check_names
from statehold.images._problem import Problem, summary
from statehold.images._settings import Descriptor
from statehold.images._sources import from_sources
from statehold.sdk import ImageError

DEFAULT_LIMITS = ImageLimits()

_SMALL = 16 << 20


def open_image(path: Path, *, limits: ImageLimits = DEFAULT_LIMITS) -> AppImage:
    """Open an application folder (`<owner>.<app>/`) or a packed image (`.shi`), verified completely.

    Nothing in it is imported, run or written anywhere. A folder without manifest is taken as its
    author or Voedger laid it out; sources of storages in it become a wheel in memory.

    Raises:
        ImageError: it is not an image, or something in it is wrong; with everything that is.

    """
    image, problems = load(path, limits)
    if image is None:
        lines = [str(problem) for problem in problems]
        raise ImageError(summary(f"{path} is not a usable app image", lines), problems=lines)
    return image


def verify_image(path: Path, *, limits: ImageLimits = DEFAULT_LIMITS) -> tuple[Problem, ...]:
    """Return everything that keeps the image at *path* from being used; nothing where it is sound."""
    image, problems = load(path, limits)
    if image is not None:
        image.close()
    return tuple(problems)


def load(
    path: Path, limits: ImageLimits, *, version: str | None = None
) -> tuple[AppImage | None, list[Problem]]:
    """Return the image at *path*, or None and all that is wrong; *version* is given to a source folder."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return None, [Problem(code="path", message=f"cannot be read: {error.strerror}")]
    if stat.S_ISDIR(mode):
        opened = _open_folder(path, limits, version)
    elif stat.S_ISREG(mode):
        opened = _open_file(path, limits)
    else:
        return None, [Problem(code="path", message="neither a folder nor a regular file")]
    contents, app, strict, problems = opened
    if contents is None:
        return None, problems
    image = None
    try:
        image = _Verifier(contents, limits, app=app, strict=strict, problems=problems).image()
    finally:
        if image is None:
            contents.close()
    return image, problems


class _FileContents:
    """A packed image, read through a handle of its own: replacing the file does not touch it."""

    def __init__(self, file: IO[bytes], archive: Archive) -> None:
        self._file = file
        self._archive = archive
        self.paths = tuple(sorted(archive.entries))

    def chunks(self, path: str, budget: Budget) -> Iterator[bytes]:
        if self._file.closed:
            raise RefusedError("the image has been closed")
        return self._archive.chunks(path, budget)

    def close(self) -> None:
        self._archive.close()
        self._file.close()


_Opened = tuple[Contents | None, str, bool, list[Problem]]


def _open_file(path: Path, limits: ImageLimits) -> _Opened:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return None, "", True, [Problem(code="path", message=f"cannot be read: {error.strerror}")]
    file = os.fdopen(handle, "rb")
    archive = None
    try:
        archive, problems = open_archive(file, os.fstat(handle).st_size, limits)
    finally:
        if archive is None:
            file.close()
    return (_FileContents(file, archive) if archive else None), "", True, problems


def _open_folder(path: Path, limits: ImageLimits, version: str | None) -> _Opened:
    app = Path(os.path.abspath(path)).name  # noqa: PTH100 - the name as given, links not followed
    found, problems = scan(path, limits)
    problems += check_names(found, limits)
    strict = MANIFEST in found
    if not APP.fullmatch(app) and not strict:
        hint = "an application folder is called <owner>.<app>"
        problems.append(Problem(code="app", message=f"{app!r} is no app name", hint=hint))
    if strict:
        return FolderContents(found), app, True, problems
    files, more = from_sources(found, limits, version=version)
    return FolderContents(files), app, False, problems + more


@attrs.define
class _Verifier:
    """Reads every file of an image once and notes what is wrong."""

    contents: Contents
    limits: ImageLimits
    app: str = attrs.field(kw_only=True)
    strict: bool = attrs.field(kw_only=True)
    problems: list[Problem] = attrs.field(kw_only=True)
    files: dict[str, FileEntry] = attrs.field(factory=dict, init=False)
    unreadable: set[str] = attrs.field(factory=set, init=False)
    texts: dict[str, bytes] = attrs.field(factory=dict, init=False)
    plugins: list[PluginFile] = attrs.field(factory=list, init=False)

    def image(self) -> AppImage | None:
        """Return the image if nothing is wrong with it."""
        layout = lay_out(self.contents.paths)
        self.problems += check_layout(layout)
        self._read(layout)
        descriptor = self._descriptor()
        manifest = self._manifest() if self.strict else None
        packages = {
            package: {name: self._text(path) for name, path in schemas.items()}
            for package, schemas in layout.schemas.items()
        }
        self._check_plugins()
        if self.strict:
            self._check_strict(layout)
        if self.problems:
            return None
        app = manifest.app if manifest else self.app
        digest = content_digest(app, self.files)
        version = descriptor.version or digest[:12]
        if manifest and not self._check_claims(manifest, digest, version):
            return None
        return AppImage(
            app=app,
            version=version,
            digest=digest,
            descriptor=descriptor,
            packages=MappingProxyType({name: MappingProxyType(files) for name, files in packages.items()}),
            plugins=tuple(self.plugins),
            wasm=MappingProxyType({package: paths[0] for package, paths in layout.modules.items()}),
            extensions=MappingProxyType(
                {package: tuple(paths) for package, paths in layout.extensions.items()}
            ),
            files=MappingProxyType(self.files),
            contents=self.contents,
            limits=self.limits,
        )

    def _read(self, layout: Layout) -> None:
        budget = Budget(self.limits)
        kept = {DESCRIPTOR, MANIFEST}
        kept.update(path for schemas in layout.schemas.values() for path in schemas.values())
        owners = {path: package for package, paths in layout.plugins.items() for path in paths}
        modules = {path for paths in layout.modules.values() for path in paths}
        for path in self.contents.paths:
            digest = hashlib.sha256()
            size = 0
            data = bytearray()
            keep = path in kept or path in owners
            try:
                for chunk in self.contents.chunks(path, budget):
                    digest.update(chunk)
                    size += len(chunk)
                    if keep or len(data) < 4:
                        data += chunk
            except RefusedError as error:
                self._wrong("content", str(error), path)
                self.unreadable.add(path)
                continue
            entry = FileEntry(size=size, sha256=digest.hexdigest())
            if path != MANIFEST:
                self.files[path] = entry
            if path in kept:
                self.texts[path] = bytes(data)
            elif path in owners:
                self._plugin(path, owners[path], entry, bytes(data))
            elif path in modules and not data.startswith(b"\0asm"):
                self._wrong("wasm", "not a WebAssembly module", path)

    def _plugin(self, path: str, package: str, entry: FileEntry, data: bytes) -> None:
        version, kind, problem = plugin_kind(path, data[:8])
        if kind is None:
            self.problems += [problem] if problem else []
            return
        if kind in (PluginKind.WHEEL, PluginKind.ZIP):
            self.problems += check_nested(io.BytesIO(data), len(data), self.limits, path=path)
        self.plugins.append(
            PluginFile(
                package=package,
                name=path.rpartition("/")[2],
                path=path,
                version=version,
                kind=kind,
                size=entry.size,
                sha256=entry.sha256,
            )
        )

    def _check_plugins(self) -> None:
        seen: dict[tuple[str, str], PluginFile] = {}
        for plugin in self.plugins:
            other = seen.setdefault((plugin.package, plugin.version), plugin)
            if other is not plugin:
                message = f"version {plugin.version} is also {other.name!r}"
                self._wrong("plugin", message, plugin.path, "keep one of them, or give one another version")

    def _descriptor(self) -> Descriptor:
        data = self.texts.get(DESCRIPTOR)
        if data is None:
            if DESCRIPTOR not in self.unreadable:
                hint = 'write one; {"NumParts": 1} is enough'
                self._wrong("descriptor", "the image has no deployment descriptor", DESCRIPTOR, hint)
            return Descriptor()
        descriptor, problems = parse_descriptor(data)
        self.problems += problems
        return descriptor

    def _manifest(self) -> Manifest | None:
        data = self.texts.get(MANIFEST)
        if data is None:
            hint = "build the image with `statehold build`"
            self._wrong("manifest", "the image has no manifest", MANIFEST, hint)
            return None
        manifest, problems = parse_manifest(data)
        self.problems += problems
        if manifest is not None:
            self.problems += compare(manifest.files, self.files, self.unreadable)
        return manifest

    def _check_strict(self, layout: Layout) -> None:
        known = {DESCRIPTOR, MANIFEST}
        strange = [path for path in layout.other if path not in known]
        for paths in (layout.sources, layout.wasm_sources):
            strange += [path for found in paths.values() for path in found]
        for path in sorted(strange):
            self._wrong("undeclared", "no part of an image is read from here", path, "build the image again")

    def _check_claims(self, manifest: Manifest, digest: str, version: str) -> bool:
        for what, claimed, actual in (
            ("digest", manifest.digest, digest),
            ("version", manifest.version, version),
        ):
            if claimed != actual:
                self._wrong("manifest", f"{what}: the manifest says {claimed!r}, it is {actual!r}", MANIFEST)
        return not self.problems

    def _text(self, path: str) -> str:
        data = self.texts.get(path, b"")
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            self._wrong("text", f"line {line} is not UTF-8", path, "save the file as UTF-8")
            return ""

    def _wrong(self, code: str, message: str, path: str, hint: str = "") -> None:
        self.problems.append(Problem(code=code, message=message, path=path, hint=hint))
