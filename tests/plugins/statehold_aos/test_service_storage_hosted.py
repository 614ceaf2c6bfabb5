"""Service storage of an app, through updates, a roll-back and a restart of its host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from statehold.hosting import Host
from statehold.sdk import Scope

VSQL = """APPLICATION fleet();
STATESTORAGE ENGINE BUILTIN (
  STORAGE ServiceStorage (
    GET SCOPE(COMMANDS, QUERIES), READ SCOPE(QUERIES), INSERT SCOPE(COMMANDS), UPDATE SCOPE(COMMANDS)
  )
  WITH JSONCONFIG=`{"Backend": "accounting"}`;
)
"""
ANN = '["ann"]'


def image(folder: Path, version: str) -> Path:
    root = folder / version / "acme.fleet"
    package = root / "image" / "pkg" / "acme" / "fleet"
    package.mkdir(parents=True)
    (package / "fleet.vsql").write_text(VSQL)
    (root / "descriptor.json").write_text(json.dumps({"Version": version, "NumAppWorkspaces": 1}))
    return root


def folder_of(host: Host, *, make: bool = False) -> Path:
    with host.app("acme.fleet").borrow(0) as partition:
        facade = partition.scoped("fleet.ServiceStorage", Scope.COMMANDS)
        storage: Any = partition.storage("fleet.ServiceStorage")
        key = storage._key(1, "radio", ANN)
        if make:
            storage.apply_batch([facade.insert(key, {})])
        folder: Path = storage.folder(key)
        return folder


def test_a_folder_outlives_updates_roll_backs_and_restarts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Host(data, environ={}) as host:
        host.deploy(image(tmp_path, "1"))
        folder = folder_of(host, make=True)
        (folder / "note").write_text("kept")
        old = host.app("acme.fleet").current
        host.deploy(image(tmp_path, "2"))
        assert folder_of(host) == folder
        assert (folder / "note").read_text() == "kept"
        host.rollback("acme.fleet")
        assert folder_of(host) == folder
        assert host.warnings == ()
        assert old.name == "1"
    with Host(data, environ={}) as host:
        assert folder_of(host) == folder
        assert (folder / "note").read_text() == "kept"
