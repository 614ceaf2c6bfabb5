from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from statehold.images._archive import Archive, open_archive
from statehold.images._files import open_regular
from statehold.images._folder import FolderContents, scan
from statehold.images._image import AppImage, Contents
from statehold.images._layout import MANIFEST
from statehold.images._limits import Budget, ImageLimits, RefusedError
from statehold.images._names import APP, check_names
from statehold.images._problem import Problem, summary
from statehold.images._sources import from_sources
from statehold.images._verify import Verifier
from statehold.sdk import ImageError

DEFAULT_LIMITS = ImageLimits()


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
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        reason = error.strerror if isinstance(error, OSError) else error
        return None, [Problem(code="path", message=f"cannot be read: {reason}")]
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
        image = Verifier(contents, limits, app=app, strict=strict, problems=problems).image()
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
        file = open_regular(path)
    except OSError as error:
        return None, "", True, [Problem(code="path", message=f"cannot be read: {error.strerror}")]
    archive = None
    try:
        archive, problems = open_archive(file, os.fstat(file.fileno()).st_size, limits)
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
        if version is not None:
            hint = f"take {MANIFEST} away to build anew"
            problems.append(
                Problem(code="manifest", message="an unpacked image keeps its version", hint=hint)
            )
        return FolderContents(found), app, True, problems
    files, more = from_sources(found, limits, version=version)
    return FolderContents(files), app, False, problems + more
