"""Resources and metadata of a plugin file, in the shapes that `importlib` hands out."""

from __future__ import annotations

import zipfile
from importlib.resources.abc import Traversable, TraversableResources
from typing import Any

from statehold.loading._archive import Archive


class _Resources(TraversableResources):
    def __init__(self, folder: Traversable) -> None:
        self._folder = folder

    def files(self) -> Traversable:
        return self._folder


def resources(archive: Archive, folder: str) -> TraversableResources:
    """Return the reader of the files in *folder* of the archive."""
    return _Resources(zipfile.Path(archive.zip, f"{folder}/" if folder else ""))


def distribution(archive: Archive, folder: str, base: Any) -> Any:
    """Return the distribution whose `*.dist-info` is *folder*, as a subclass of *base*.

    *base* is the `Distribution` of `importlib.metadata` or of its backport, whichever was asked.
    """

    class ArchiveDistribution(base):  # type: ignore[misc]
        def read_text(self, filename: str) -> str | None:
            try:
                return archive.read(f"{folder}/{filename}").decode("utf-8")
            except FileNotFoundError:
                return None

        def locate_file(self, path: object) -> zipfile.Path:
            return zipfile.Path(archive.zip, str(path))

    return ArchiveDistribution()
