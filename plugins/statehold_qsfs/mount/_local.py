from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from statehold_qsfs.files import FileSystem, FileSystemOptions
from statehold_qsfs.mount._errors import MountError
from statehold_zdb.engine import Engine, EngineOptions

_SEGMENT: Final = 32 * 1024 * 1024
_COMPACT_AT: Final = 0.5
_COMPACT_EVERY: Final = 5.0
#: What `protection` leaves in a folder that is its.
_PROTECTED: Final = ("owner", "restoring")


@contextmanager
def opened(
    store: Path, *, options: FileSystemOptions | None = None, logger: logging.Logger | None = None
) -> Iterator[FileSystem]:
    """Open the filesystem of a store of this machine alone.

    Raises:
        MountError: it is not of this machine alone: files may lack here what a zstor has.

    """
    if any((store / name).exists() for name in _PROTECTED):
        raise MountError(
            f"{store}: its files are kept in a zstor, too, and are not whole without it",
            hint="`statehold qsfs serve CONFIG` mounts them, `statehold qsfs doctor CONFIG` looks at them",
        )
    engine_options = EngineOptions(
        segment_size=_SEGMENT, compact_at=_COMPACT_AT, compact_every=_COMPACT_EVERY
    )
    with (
        Engine(store / "data", store / "index", options=engine_options, logger=logger) as engine,
        FileSystem(engine, options=options, logger=logger) as files,
    ):
        yield files
