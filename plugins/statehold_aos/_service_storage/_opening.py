from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from statehold.sdk import IStateStorage, StorageContext, StorageError
from statehold_aos._service_storage._book import Book
from statehold_aos._service_storage._care import Care
from statehold_aos._service_storage._config import ServiceStorageConfig
from statehold_aos._service_storage._folders import Folders
from statehold_aos._service_storage._lock import FolderLock
from statehold_aos._service_storage._storage import ServiceStorage
from statehold_quota import NAMES, Backend, QuotaError, backends, choose, clean_up

_BACKEND: Final = "backend"
_BTRFS: Final = ("btrfs-simple", "btrfs-qgroup")


def open_storage(ctx: StorageContext) -> IStateStorage:
    """Open the folders under the root, make them as they are to be, and look after them from now on.

    Raises:
        StorageError: the root cannot be used, or limits are required and nobody enforces them here.

    """
    config: ServiceStorageConfig = ctx.config or ServiceStorageConfig()
    root = _root(ctx, config)
    lock = FolderLock(root / "service-storage.lock")
    book = Book(root)
    try:
        with lock():
            backend, fault = _backend(ctx, config, root, book)
        folders = Folders(root=root / "folders", backend=backend, config=config)
        care = Care(
            name=ctx.storage,
            book=book,
            folders=folders,
            logger=ctx.logger,
            repair=partial(_repaired, folders.root, book),
            lock=lock,
            fault=fault,
        )
        care.start()
    except BaseException:
        book.close()
        raise
    ctx.background(partial(care.watch, config.WatchSeconds))
    return ServiceStorage(ctx, book, care)


def _root(ctx: StorageContext, config: ServiceStorageConfig) -> Path:
    root = ctx.data_folder
    if config.Root:
        given = Path(config.Root)
        if not given.is_absolute():
            raise StorageError(f"{ctx.storage}: Root is {config.Root!r}, expected an absolute path")
        if not given.is_dir():
            raise StorageError(f"{ctx.storage}: there is no folder {given}", hint="Is its disk mounted?")
        root = given / ctx.app / ctx.storage / str(ctx.partition)
    try:
        (root / "folders").mkdir(mode=0o711, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{ctx.storage}: cannot use {root}: {error.strerror}") from error
    return root


def _backend(
    ctx: StorageContext, config: ServiceStorageConfig, root: Path, book: Book
) -> tuple[Backend, str]:
    """Return who keeps the limits, which stays the same once there are folders, and what is wrong with it."""
    folders, before = root / "folders", book.fact(_BACKEND)
    clean_up(folders)
    names = _names(config, before if book.entries() else None)
    if config.Backend not in ("auto", *names):
        ctx.logger.warning(
            "%s: the folders were made by %s, and stay with it: %s is not used",
            ctx.storage,
            before,
            config.Backend,
        )
    try:
        chosen = choose(folders, names=names, enable=config.Enable or before in _BTRFS)
    except QuotaError as error:
        if config.Require or before is None or not book.entries():
            raise StorageError(f"{ctx.storage}: {error.message}", hint=error.hint) from error
        ctx.logger.error("%s: no limit is kept: %s", ctx.storage, error)  # noqa: TRY400  no defect
        return next(each for each in backends(folders) if each.name == before), str(error)
    for finding in chosen.findings[:-1]:
        ctx.logger.info("%s: no %s: %s", ctx.storage, finding.title, finding.reason)
    if not chosen.backend.enforced:
        if config.Require:
            said = "; ".join(f"{each.title}: {each.reason}" for each in chosen.findings[:-1])
            raise StorageError(f"{ctx.storage}: limits are required, and nobody enforces them here: {said}")
        ctx.logger.warning("%s: limits are advisory here: nothing is refused", ctx.storage)
    ctx.logger.info("%s: %s: %s", ctx.storage, chosen.finding.title, chosen.finding.proof)
    book.note(_BACKEND, chosen.backend.name)
    return chosen.backend, ""


def _names(config: ServiceStorageConfig, before: str | None) -> tuple[str, ...]:
    """Return which backends may be chosen: the folders of each one are made in its own way."""
    if before is not None:
        return _BTRFS if before in _BTRFS else (before,)
    return NAMES if config.Backend == "auto" else (config.Backend,)


def _repaired(root: Path, book: Book) -> Backend:
    """Return the backend as it works now, quotas switched on again where somebody switched them off."""
    before = book.fact(_BACKEND) or NAMES[-1]
    chosen = choose(root, names=_names(ServiceStorageConfig(), before), enable=True)
    book.note(_BACKEND, chosen.backend.name)
    return chosen.backend
