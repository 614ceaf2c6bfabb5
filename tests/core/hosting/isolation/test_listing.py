"""What a listing says of storages in other places, and of the sandbox."""

from __future__ import annotations

import pytest

from statehold.hosting import Host, Sandbox
from statehold.loading import sandbox
from statehold.loading.sandbox import Lack

ENVIRON = {"STATEHOLD_SECRET_TOKEN": "hunter2"}


@pytest.fixture
def asked(monkeypatch):
    """Let this machine lack a part of the sandbox, and return how often that was looked at."""
    found = sandbox.capabilities()
    asked = []

    def capabilities():
        asked.append(1)
        return type(found)(
            machine=found.machine,
            is_root=found.is_root,
            landlock=0,
            seccomp=found.seccomp,
            notifications=found.notifications,
            namespaces=found.namespaces,
            lacking=(Lack("landlock", "this kernel has none"),),
        )

    monkeypatch.setattr(sandbox, "capabilities", capabilities)
    return asked


def test_a_listing_says_what_the_sandbox_lacks_where_something_is_shut_in(tmp_path, den, asked):
    with Host(tmp_path / "data", environ=ENVIRON) as host:
        host.deploy(den("1"))
        assert host.listing()["lacking"] == []
        host.deploy(den("2", box={"isolation": "sidecar"}))
        for _ in range(2):
            listing = host.listing()
            assert listing["lacking"] == ["landlock: this kernel has none"]
        places = {one["version"]: one["isolation"]["den.Box"] for one in listing["apps"][0]["versions"]}
        assert places == {"1": "inprocess", "2": "sidecar"}
        assert len(asked) == 1
    with Host(tmp_path / "data", environ=ENVIRON, apps=()) as host:
        (app,) = host.listing()["apps"]
        assert [one["isolation"]["den.Box"] for one in app["versions"]] == ["inprocess", "sidecar"]


def test_a_host_that_shuts_nothing_in_says_so(tmp_path, den):
    with Host(tmp_path / "data", environ=ENVIRON, sandbox=Sandbox.OFF) as host:
        host.deploy(den("1", box={"isolation": "sidecar"}))
        assert host.listing()["lacking"] == ["all: this host does not shut sidecars in (sandbox: off)"]
