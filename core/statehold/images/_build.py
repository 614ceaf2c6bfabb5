from __future__ import annotations

from pathlib import Path

from statehold.images._names import VERSION
from statehold.images._open import DEFAULT_LIMITS, load
from statehold.images._problem import summary
from statehold.sdk import ImageError

SUFFIX = ".shi"


def build_image(folder: Path, out: Path | None = None, *, version: str | None = None) -> Path:
    """Pack the application folder *folder* into one file, and return where it is.

    The same folder gives the same bytes on every machine, whatever its times, modes and order. *out* is
    the file, or the folder to put `<owner>.<app>-<version>.shi` into (beside *folder* by default).
    *version* replaces the version in the descriptor.

    Raises:
        ImageError: the folder makes no sound image, with everything that is wrong with it; or the file
            cannot be written.

    """
    if version is not None and not VERSION.fullmatch(version):
        hint = "Use up to 64 letters, digits, '.', '_', '-' and '+'"
        raise ImageError(f"{version!r} is no version name", hint=hint)
    if not folder.is_dir():
        raise ImageError(f"{folder} is not an application folder", hint="Name the folder <owner>.<app>")
    image, problems = load(folder, DEFAULT_LIMITS, version=version)
    if image is None:
        lines = [str(problem) for problem in problems]
        raise ImageError(summary(f"{folder} makes no app image", lines), problems=lines)
    with image:
        target = out if out is not None else folder.absolute().parent
        if target.is_dir():
            target /= f"{image.app}-{image.version}{SUFFIX}"
        try:
            return image.save(target)
        except OSError as error:
            raise ImageError(f"{target} cannot be written: {error.strerror or error}") from error
