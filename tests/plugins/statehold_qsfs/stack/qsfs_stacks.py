from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from statehold_qsfs.files import FileSystem
from statehold_qsfs.stack import StackConfig

LIMIT = 120
BACKENDS = 3


def config(
    folder: Path, *, machine: str = "machine", minimum: int = BACKENDS, **durability: object
) -> StackConfig:
    """Return a filesystem on three folders, of which two suffice."""
    text = f"""\
[zstor]
minimal_shards = 2
expected_shards = {BACKENDS}
redundant_groups = 0
redundant_nodes = 0
[zstor.acknowledge]
minimum = {minimum}
metadata = {minimum}
[zstor.monitor]
health = 0.2
[zstor.encryption]
algorithm = "AES"
key = "{"ab" * 32}"
[zstor.compression]
algorithm = "snappy"
[zstor.meta]
type = "zdb"
[zstor.meta.config]
prefix = "files"
[zstor.meta.config.encryption]
algorithm = "AES"
key = "{"cd" * 32}"
"""
    for name, header in (("meta", "zstor.meta.config.backends"), ("data", "zstor.groups.backends")):
        text += "[[zstor.groups]]\n" if name == "data" else ""
        for number in range(BACKENDS):
            if not (folder / f"{name}{number}").exists():
                (folder / f"{name}{number}").mkdir()
            text += f'[[{header}]]\nurl = "file://{folder}/{name}{number}"\n'
    text += f'[local]\nfolder = "{machine}"\nsegment = "512 KiB"\nlimit = "64 MiB"\n[durability]\n'
    for name, value in durability.items():
        text += f"{name} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n".replace(
            "'", '"'
        )
    path = folder / f"{machine}.toml"
    path.write_text(text)
    return StackConfig.read(path)


def write(files: FileSystem, path: str, data: bytes, *, sync: bool = True) -> None:
    handle = files.create(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    files.write(handle, data, 0)
    if sync:
        files.fsync(handle)
    files.release(handle)


def read(files: FileSystem, path: str) -> bytes:
    handle = files.open(path, os.O_RDONLY)
    try:
        return files.read(handle, files.fgetattr(handle).size, 0)
    finally:
        files.release(handle)


def take_away(folder: Path, count: int) -> None:
    """Let so many backends be unreachable, of data and of metadata."""
    for name in ("data", "meta"):
        for number in range(count):
            (folder / f"{name}{number}").rename(folder / f"{name}{number}.away")
            (folder / f"{name}{number}").write_text("no folder")


def bring_back(folder: Path, count: int) -> None:
    for name in ("data", "meta"):
        for number in range(count):
            (folder / f"{name}{number}").unlink()
            (folder / f"{name}{number}.away").rename(folder / f"{name}{number}")


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
