from __future__ import annotations

import os
import subprocess

from statehold.loading import sandbox
from statehold.loading.sandbox import Capabilities, capabilities


def test_they_are_found_by_trying_in_another_process():
    found = capabilities()
    assert found.machine == os.uname().machine
    assert found.is_root == (os.geteuid() == 0)
    assert found.landlock >= 1
    assert found.seccomp
    assert found.notifications
    assert found.namespaces - {"user"} == {"net", "ipc", "uts", "pid"}
    assert found.lacking == ()


def test_if_it_cannot_be_tried_everything_is_lacking(monkeypatch):
    def fail(*_args, **_options):
        raise subprocess.TimeoutExpired("python", 30)

    monkeypatch.setattr(subprocess, "run", fail)
    found = capabilities()
    assert isinstance(found, Capabilities)
    assert "it could not be tried" in str(found.lacking[0])
    assert found.lacking[0].opens


def test_on_an_unknown_machine_everything_is_lacking(monkeypatch):
    real = os.uname()
    monkeypatch.setattr(os, "uname", lambda: type(real)((*real[:4], "riscv64")))
    found = capabilities()
    assert found.machine == "riscv64"
    assert [str(lack) for lack in found.lacking] == [
        "all: the machine is of a kind that the sandbox does not know: riscv64"
    ]
    prepared = sandbox.prepare()
    assert prepared.namespaces == frozenset()
    assert prepared.lacking[0].layer == "namespaces"
