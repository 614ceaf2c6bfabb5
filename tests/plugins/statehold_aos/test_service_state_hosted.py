"""States of an app's services, through updates, a roll-back and a restart of its host."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from statehold.hosting import Host
from statehold.sdk import Scope
from statehold_aos.gateway import ClaimId, Cloud, InProcess

VSQL = """APPLICATION fleet();
STATESTORAGE ENGINE BUILTIN (
  STORAGE Config (GET SCOPE(COMMANDS));
  STORAGE ServiceStorage (GET SCOPE(COMMANDS), INSERT SCOPE(COMMANDS))
  WITH JSONCONFIG=`{"Backend": "accounting"}`;
  STORAGE ServiceState (
    GET SCOPE(COMMANDS, QUERIES), READ SCOPE(QUERIES), INSERT SCOPE(COMMANDS), UPDATE SCOPE(COMMANDS)
  )
  WITH JSONCONFIG=`{"QuietMilliseconds": 20, "Conflict": "newest"}`;
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


class Waiting(Cloud):
    """Lets a test wait for a state."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[bytes] = set()
        self.more = threading.Condition()

    def received(self, message: Any) -> list[Any]:
        answers = super().received(message)
        with self.more:
            self.seen.add(getattr(message, "state", b""))
            self.more.notify_all()
        return answers

    def wait_for(self, state: bytes) -> None:
        with self.more:
            assert self.more.wait_for(lambda: state in self.seen, 30)


def parts(host: Host) -> tuple[Any, Any, Any]:
    with host.app("acme.fleet").borrow(0) as partition:
        states: Any = partition.storage("fleet.ServiceState")
        facade = partition.scoped("fleet.ServiceState", Scope.COMMANDS)
        return states, facade, states._key(1, "radio", ANN)


def begin(host: Host) -> Path:
    with host.app("acme.fleet").borrow(0) as partition:
        storage: Any = partition.storage("fleet.ServiceStorage")
        key = storage._key(1, "radio", ANN)
        storage.apply_batch([partition.scoped("fleet.ServiceStorage", Scope.COMMANDS).insert(key, {})])
        states, facade, claim = parts(host)
        states.apply_batch([facade.insert(claim, {"State": b"first"})])
        folder: Path = storage.folder(key)
    assert states.path(claim) == folder / "state.dat"
    return folder / "state.dat"


def test_states_go_to_the_cloud_through_updates_roll_backs_and_restarts(tmp_path: Path) -> None:
    data, cloud = tmp_path / "data", Waiting()
    with Host(data, environ={}) as host:
        host.deploy(image(tmp_path, "1"))
        file = begin(host)
        parts(host)[0].connect(InProcess(cloud))
        cloud.wait_for(b"first")
        host.deploy(image(tmp_path, "2"))
        file.write_bytes(b"while version 2 is there")
        cloud.wait_for(b"while version 2 is there")
        host.rollback("acme.fleet")
        file.write_bytes(b"while version 1 is back")
        cloud.wait_for(b"while version 1 is back")
        states, _, claim = parts(host)
        assert states.get(claim).State == b"while version 1 is back"
        assert host.warnings == ()
    file.write_bytes(b"while nobody looked")
    with Host(data, environ={}) as host:
        parts(host)[0].connect(InProcess(cloud))
        cloud.wait_for(b"while nobody looked")
    assert cloud.state(ClaimId(1, "radio", ANN)) == b"while nobody looked"
