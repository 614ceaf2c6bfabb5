from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from statehold.images._files import open_regular
from statehold.images._layout import DESCRIPTOR, MANIFEST, PACKAGES
from statehold.images._limits import Budget, ImageLimits, RefusedError
from statehold.images._problem import Problem

_CHUNK = 1 << 18
_DEPTH = 64


class FolderContents:
    """Files of an application folder, read where they lie, and files made of them, held in memory."""

    def __init__(self, files: Mapping[str, Path | bytes]) -> None:
        self.files = files

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(sorted(self.files))

    def chunks(self, path: str, budget: Budget) -> Iterator[bytes]:
        """Yield the contents of the file at *path*; raise RefusedError where that cannot be done."""
        content = self.files[path]
        if isinstance(content, bytes):
            budget.take(len(content))
            yield content
            return
        size = 0
        try:
            with open_regular(content) as file:
                while chunk := file.read(_CHUNK):
                    size += len(chunk)
                    budget.take(len(chunk))
                    if size > budget.limits.file_bytes:
                        raise RefusedError(f"larger than {budget.limits.file_bytes} bytes")
                    yield chunk
        except OSError as error:
            raise RefusedError(f"cannot be read: {error.strerror}") from error

    def close(self) -> None:
        """Give back nothing: a folder is not held open."""


def scan(root: Path, limits: ImageLimits) -> tuple[dict[str, Path], list[Problem]]:
    """Return the files of the application folder *root* that may belong to its image, by their path in it.

    Left out are names that begin with a dot, `__pycache__`, and, without a manifest, whatever lies
    outside of descriptor.json and image/pkg.
    """
    scanner = _Scanner(root.resolve(), limits)
    if (root / MANIFEST).is_file():
        scanner.enter(scanner.root, "", ())
    else:
        if os.path.lexists(root / DESCRIPTOR):
            scanner.add(scanner.root / DESCRIPTOR, DESCRIPTOR, ())
        if os.path.lexists(root / PACKAGES):
            scanner.add(scanner.root / PACKAGES, PACKAGES.rstrip("/"), ())
    return scanner.files, scanner.problems


def ignored(name: str) -> bool:
    """Tell whether a file or folder called *name* is never part of an image."""
    return name.startswith(".") or name == "__pycache__" or name.endswith((".pyc", ".pyo"))


class _Scanner:
    def __init__(self, root: Path, limits: ImageLimits) -> None:
        self.root = root
        self.files: dict[str, Path] = {}
        self.problems: list[Problem] = []
        self._limits = limits
        self._seen = 0

    def enter(self, folder: Path, name: str, above: tuple[Path, ...]) -> None:
        try:
            entries = sorted(path.name for path in folder.iterdir())
        except OSError as error:
            self._wrong(name, f"cannot be read: {error.strerror}")
            return
        for entry in entries:
            if not ignored(entry):
                self.add(folder / entry, f"{name}/{entry}" if name else entry, (*above, folder))

    def add(self, path: Path, name: str, above: tuple[Path, ...]) -> None:
        self._seen += 1
        if self._seen > self._limits.entries:
            if self._seen == self._limits.entries + 1:
                self._wrong("", f"the folder has more than {self._limits.entries} files")
            return
        try:
            target = path.resolve(strict=True)
            mode = target.stat().st_mode
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "a link that leads to itself"
            self._wrong(name, f"cannot be read: {reason}")
            return
        if target != path and not target.is_relative_to(self.root):
            self._wrong(name, "a link that leads out of the folder")
        elif stat.S_ISDIR(mode):
            if target in above:
                self._wrong(name, "a folder that contains itself through a link")
            elif len(above) > _DEPTH:
                self._wrong(name, f"folders nested more than {_DEPTH} deep")
            else:
                self.enter(target, name, above)
        elif stat.S_ISREG(mode):
            self.files[name] = target
        else:
            self._wrong(name, "a device, pipe or other special file")

    def _wrong(self, name: str, message: str) -> None:
        self.problems.append(Problem(code="entry", message=message, path=name))
