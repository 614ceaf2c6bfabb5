"""What each sidecar does at its start, done once before: all share what is imported and cached then."""

from __future__ import annotations

import logging
import os
import socket
import threading
import zipfile
from typing import Final, NoReturn

import msgspec

from statehold.loading._archive import forget_archives
from statehold.loading.sidecar._failures import told
from statehold.loading.sidecar._fields import fields_told
from statehold.loading.sidecar._objects import Objects
from statehold.loading.sidecar.child._opened import open_storage
from statehold.loading.sidecar.child._plugin import Plugin, load

_CODE: Final = """
from statehold.sdk import Field, Operation, Provider

class Storage:
    def get(self, key):
        return None

    def free(self):
        pass

provider = Provider(
    name="Warm",
    open=lambda ctx: Storage(),
    operations=[Operation.GET],
    key=[Field("Id", "text", required=True)],
    value=[Field("Data", "bytes")],
)
"""
_INFO: Final = "warm-1.dist-info"


class Warming:
    """A plugin in memory, to be loaded and used for nothing but that."""

    def __init__(self) -> None:
        self._file = os.memfd_create("warm.whl", os.MFD_CLOEXEC)
        with zipfile.ZipFile(os.fdopen(os.dup(self._file), "wb"), "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("warm.py", _CODE)
            archive.writestr(f"{_INFO}/METADATA", "Metadata-Version: 2.1\nName: warm\nVersion: 1\n")
            archive.writestr(f"{_INFO}/entry_points.txt", "[statehold.storages]\nWarm = warm:provider\n")

    def run(self, *, threads: bool) -> None:
        """Load the plugin, open its storage, use it, and forget all of it; without *threads*, start none."""
        path = f"/proc/self/fd/{self._file}"
        try:
            _use(load({"kind": "file", "path": path, "owner": "statehold", "sha256": None}), threads=threads)
        finally:
            forget_archives()


def _use(plugin: Plugin, *, threads: bool) -> None:
    provider = plugin.providers["Warm"]
    given = {
        "storage": "warm.Warm",
        "app": "warm.warm",
        "version": "1",
        "partition": 0,
        "config": None,
        "secrets": {},
        "key": fields_told(provider.key),
        "value": fields_told(provider.value),
        "data_folder": "/",
        "storages": {},
        "allowances": {},
        "entities": [],
        "logger": "warm",
        "level": logging.WARNING,
        "existing": None,
        "pending_timeout": 1.0,
    }
    objects = Objects()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        opened = open_storage(
            provider,
            objects.decode(msgspec.msgpack.encode(given)),
            handle=1,
            log=theirs,
            objects=objects,
            others=_nobody,
            ask=_nobody,
        )
        opened.impl.get(opened.codecs[0].to_key([1, "a"]))
        told(ValueError("warm"), trace="")
        if threads:
            thread = threading.Thread(target=opened.free, args=(1.0,))
            thread.start()
            thread.join()
        else:
            opened.free(1.0)
    plugin.free()


def _nobody(*_: object) -> NoReturn:
    raise LookupError
