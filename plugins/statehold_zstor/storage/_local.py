"""A zstor in folders of its own, with keys of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import Final

from statehold.sdk import sync_folder
from statehold_zstor.config import Config
from statehold_zstor.storage._config import ZstorConfig

_KEYS: Final = "keys"
#: In how many folders metadata are, at most.
_METADATA: Final = 3


def local_config(folder: Path, wanted: ZstorConfig) -> Config:
    """Return the configuration of a zstor in *folder*, whose keys are made where there are none.

    Raises:
        ConfigError: *wanted* cannot be.
        OSError: the folder cannot be written.

    """
    key, meta_key = _keys(folder)
    shards = [_backend(folder / "shards" / str(number)) for number in range(wanted.Shards)]
    copies = min(_METADATA, wanted.Shards)
    metadata = [_backend(folder / "metadata" / str(number)) for number in range(copies)]
    return Config.of(
        {
            "minimal_shards": wanted.DataShards,
            "expected_shards": wanted.Shards,
            "encryption": {"algorithm": "AES", "key": key},
            "compression": {"algorithm": wanted.Compression},
            "groups": [{"backends": shards}],
            "meta": {"config": {"encryption": {"algorithm": "AES", "key": meta_key}, "backends": metadata}},
        },
        folder=folder,
        source="JSONCONFIG",
    )


def _backend(folder: Path) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    return {"url": folder.as_uri()}


def _keys(folder: Path) -> tuple[str, str]:
    path = folder / _KEYS
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
    key, meta_key = path.read_text(encoding="ascii").split()
    return key, meta_key


def _make(path: Path) -> None:
    """Make keys; of those who do it at once one succeeds, and nobody sees half of them."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{secrets.token_hex(32)}\n{secrets.token_hex(32)}\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(part)
    finally:
        part.unlink()
    sync_folder(path.parent)
