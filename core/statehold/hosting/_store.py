from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from statehold.images import AppImage, open_image
from statehold.sdk import HostError, ImageError, sync_folder


class FileStore:
    """The images and plugin files of a host, by digest; what nothing needs any more is removed.

    Files get their names only when they are complete. Nothing is removed while a deploy runs, which may
    have written files that no version names yet.
    """

    def __init__(self, images: Path, plugins: Path) -> None:
        self._images = images
        self._plugins = plugins
        self._arriving = 0
        self._lock = threading.Lock()

    @contextmanager
    def arriving(self) -> Iterator[None]:
        """Keep every file while the block runs."""
        with self._lock:
            self._arriving += 1
        try:
            yield
        finally:
            with self._lock:
                self._arriving -= 1

    def keep(self, image: AppImage) -> None:
        """Write *image* into the store, complete or not at all.

        Where the same contents are kept with signatures and *image* has none, those stay.

        Raises:
            HostError: the store cannot be written.

        """
        if image.signatures is None and self._is_signed(image.digest):
            return
        try:
            image.save(self._path(image.digest))
            sync_folder(self._images)
        except OSError as error:
            raise HostError(
                f"the image of {image.app} {image.version} cannot be kept in {self._images}: "
                f"{error.strerror or error}",
                hint="Make room, or give the host the right to write there",
            ) from error

    def open(self, digest: str) -> AppImage:
        """Return a kept image, verified again.

        Raises:
            ImageError: it is gone, damaged, or another one by now.

        """
        path = self._path(digest)
        image = open_image(path)
        if image.digest != digest:
            image.close()
            raise ImageError(
                f"{path} has the digest {image.digest[:12]}..., expected {digest[:12]}...",
                hint="Deploy the version again from its original image",
            )
        return image

    def clean(self, needed: Callable[[], set[str]]) -> None:
        """Remove every file whose digest is not *needed*, half-written ones too."""
        with self._lock:
            if self._arriving:
                return
            kept = needed()
            for folder in (self._images, self._plugins):
                for path in folder.iterdir():
                    if path.name.partition(".")[0] not in kept:
                        path.unlink(missing_ok=True)

    def _is_signed(self, digest: str) -> bool:
        try:
            with self.open(digest) as kept:
                return kept.signatures is not None
        except ImageError:
            return False

    def _path(self, digest: str) -> Path:
        return self._images / f"{digest}.shi"
