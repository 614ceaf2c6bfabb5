from __future__ import annotations

import hashlib
import io
from types import MappingProxyType

import attrs

from statehold.images._archive import check_nested
from statehold.images._descriptor import parse_descriptor
from statehold.images._image import AppImage, Contents
from statehold.images._layout import (
    DESCRIPTOR,
    MANIFEST,
    SIGNATURES,
    Layout,
    PluginFile,
    PluginKind,
    check_layout,
    lay_out,
    plugin_kind,
)
from statehold.images._limits import Budget, ImageLimits, RefusedError
from statehold.images._manifest import FileEntry, Manifest, compare, content_digest, parse_manifest
from statehold.images._problem import Problem
from statehold.images._settings import Descriptor


@attrs.define
class Verifier:
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
            signatures=self.texts.get(SIGNATURES),
            contents=self.contents,
            limits=self.limits,
        )

    def _read(self, layout: Layout) -> None:
        budget = Budget(self.limits)
        kept = {DESCRIPTOR, MANIFEST, SIGNATURES}
        kept.update(path for schemas in layout.schemas.values() for path in schemas.values())
        texts = Budget(self.limits, self.limits.text_bytes, "declarations, descriptor and manifest")
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
                    if path in kept:
                        texts.take(len(chunk))
                    if keep or len(data) < 4:
                        data += chunk
            except RefusedError as error:
                self._wrong("content", str(error), path)
                self.unreadable.add(path)
                continue
            entry = FileEntry(size=size, sha256=digest.hexdigest())
            # These two say something about the contents, and are none of them.
            if path not in (MANIFEST, SIGNATURES):
                self.files[path] = entry
            if path in kept:
                self.texts[path] = bytes(data)
            elif path in owners:
                self._plugin(path, owners[path], entry, bytes(data), budget)
            elif path in modules and not data.startswith(b"\0asm"):
                self._wrong("wasm", "not a WebAssembly module", path)

    def _plugin(self, path: str, package: str, entry: FileEntry, data: bytes, budget: Budget) -> None:
        version, kind, problem = plugin_kind(path, data[:8])
        if kind is None:
            self.problems += [problem] if problem else []
            return
        if kind in (PluginKind.WHEEL, PluginKind.ZIP):
            self.problems += check_nested(io.BytesIO(data), len(data), budget, path=path)
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
            if MANIFEST not in self.unreadable:
                hint = "build the image with `statehold build`"
                self._wrong("manifest", "the image has no manifest", MANIFEST, hint)
            return None
        manifest, problems = parse_manifest(data)
        self.problems += problems
        if manifest is not None:
            self.problems += compare(manifest.files, self.files, self.unreadable)
        return manifest

    def _check_strict(self, layout: Layout) -> None:
        known = {DESCRIPTOR, MANIFEST, SIGNATURES}
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
