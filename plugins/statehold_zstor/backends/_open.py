from __future__ import annotations

from statehold_zstor.backends._backend import Backend
from statehold_zstor.config import BackendConfig


def open_backend(config: BackendConfig) -> Backend:
    """Return the backend that *config* names; it connects when it is first used.

    Raises:
        BackendError: the libraries for it are not installed.

    """
    raise NotImplementedError(config)
