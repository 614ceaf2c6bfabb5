from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import attrs

from statehold.images._layout import MANIFEST, SIGNATURES, PluginFile
from statehold.images._limits import Budget, ImageLimits, RefusedError
from statehold.images._manifest import FileEntry, Manifest
from statehold.images._pack import write_zip
from statehold.images._problem import nearest
from statehold.images._settings import Descriptor
from statehold.sdk import ImageError


class Contents(Protocol):
    """Where the files of an image are read from."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The path of every file, sorted."""

    def chunks(self, path: str, budget: Budget) -> Iterator[bytes]:
        """Yield the contents of the file at *path*; raise RefusedError where that cannot be done."""

    def close(self) -> None:
        """Give back what is held open."""


@attrs.frozen(kw_only=True)
class AppImage:
    """An application as it is deployed, verified completely: declarations, code, storages, descriptor.

    Two images with the same digest have the same contents. Use it as a context manager, or `close()` it.

    Attributes:
        app: `owner.app`.
        version: the version's name: the descriptor's, else the first 12 digits of the digest.
        digest: SHA-256 of app, names and contents, in hex; a folder and the image built of it have
            the same.
        descriptor: how the app is to be deployed.
        packages: package path -> file name -> text of its declarations.
        plugins: the files with storages, in the order of their paths.
        wasm: package path -> path of its WebAssembly module.
        extensions: package path -> paths of its Python code.
        files: path -> size and digest of every file.
        signatures: what is in its signatures.json, where it has one: no part of its contents, and not looked
            at here.

    """

    app: str
    version: str
    digest: str
    descriptor: Descriptor = attrs.field(repr=False, eq=False)
    packages: Mapping[str, Mapping[str, str]] = attrs.field(repr=False, eq=False)
    plugins: tuple[PluginFile, ...] = attrs.field(repr=False, eq=False)
    wasm: Mapping[str, str] = attrs.field(repr=False, eq=False)
    extensions: Mapping[str, tuple[str, ...]] = attrs.field(repr=False, eq=False)
    files: Mapping[str, FileEntry] = attrs.field(repr=False, eq=False)
    signatures: bytes | None = attrs.field(default=None, repr=False, eq=False)
    _contents: Contents = attrs.field(repr=False, eq=False)
    _limits: ImageLimits = attrs.field(repr=False, eq=False)

    def read(self, path: str) -> bytes:
        """Return the contents of the file at *path*, after checking that they are what was verified.

        Raises:
            ImageError: there is no such file, it was changed since, or the image has been closed.

        """
        entry = self.files.get(path)
        if entry is None:
            raise ImageError(f"{self.app}: the image has no file {path!r}", hint=nearest(path, self.files))
        try:
            data = b"".join(self._contents.chunks(path, Budget(self._limits)))
        except RefusedError as error:
            raise ImageError(f"{self.app}: {path}: {error}", hint="Open the image again") from error
        if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.sha256:
            raise ImageError(
                f"{self.app}: {path} was changed since it was verified", hint="Open the image again"
            )
        return data

    def save(self, path: Path, *, signatures: bytes | None = None) -> Path:
        """Write the image to *path* as one reproducible file, complete or not at all; return *path*.

        *signatures* become its signatures.json; by default it keeps those that it has.

        Raises:
            ImageError: a file was changed since the image was verified.
            OSError: *path* cannot be written.

        """
        manifest = Manifest(app=self.app, version=self.version, digest=self.digest, files=self.files)
        # In the same folder, so that it can take the place of *path* in one step.
        draft = path.with_name(f".{path.name[:64]}.{os.getpid()}.{secrets.token_hex(4)}")
        try:
            with draft.open("xb") as file:
                write_zip(file, self._packed(manifest, self.signatures if signatures is None else signatures))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return path

    def close(self) -> None:
        """Let go of the file; what was read before stays usable."""
        self._contents.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _packed(self, manifest: Manifest, signatures: bytes | None) -> Iterator[tuple[str, bytes]]:
        yield MANIFEST, manifest.dump()
        if signatures is not None:
            yield SIGNATURES, signatures
        for path in sorted(self.files):
            yield path, self.read(path)
