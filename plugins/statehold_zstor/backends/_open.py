from __future__ import annotations

from statehold_zstor.backends._backend import Backend
from statehold_zstor.backends._folder import FolderBackend
from statehold_zstor.backends._s3 import S3Backend
from statehold_zstor.backends._zdb import ZdbBackend
from statehold_zstor.config import BackendConfig, BackendKind


def open_backend(config: BackendConfig) -> Backend:
    """Return the backend that *config* names; it connects when it is first used.

    Raises:
        BackendError: the libraries for it are not installed.

    """
    if config.kind is BackendKind.S3:
        return S3Backend(config)
    return FolderBackend(config) if config.kind is BackendKind.FOLDER else ZdbBackend(config)
