"""aos.fleet on a host: services for those who sit in it, through updates of the app and SIGTERM."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from statehold.hosting import Host
from statehold.processing import SYSTEM, ProcessingError, Request, Runtime

SAMPLE = Path(__file__).parents[2] / "app_images" / "aos.fleet"
APP = "aos.fleet"
STAYS = """
trap 'printf last > "$AOS_STATE_FILE.new"; mv "$AOS_STATE_FILE.new" "$AOS_STATE_FILE"; exit' TERM
printf first > "$AOS_STATE_FILE"; while :; do sleep 0.05; done
"""


def wait_for(seen: Callable[[], Any]) -> Any:
    until = time.monotonic() + 60
    while not (found := seen()):
        assert time.monotonic() < until
        time.sleep(0.01)
    return found


@attrs.frozen
class Fleet:
    folder: Path
    environ: dict[str, str]

    def image(self, version: int) -> Path:
        """Return the app as it is, in another version."""
        made = self.folder / f"app-{version}" / APP
        package = made / "image/pkg/aos.example/fleet"
        (package / "extensions").mkdir(parents=True)
        below = SAMPLE / "image/pkg/aos.example/fleet"
        for name in ("fleet.vsql", "extensions/vehicle.py"):
            (package / name).write_text((below / name).read_text())
        (made / "descriptor.json").write_text(f'{{"Version": "{version}", "NumAppWorkspaces": 1}}')
        return made

    def service(self, version: int = 1) -> None:
        folder = self.folder / "images" / f"knob-{version}"
        folder.mkdir(parents=True)
        (folder / "main.sh").write_text(STAYS)
        (folder / "config.json").write_text(
            f'{{"version": {version}, "command": "/bin/sh", "args": ["/service/main.sh"], '
            '"quotas": {"storageLimit": 100000, "stateLimit": 1000}}'
        )


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    images = tmp_path / "images"
    environ = {
        "STATEHOLD_PARAM_FLEET_FLEET_IMAGES": str(images),
        "STATEHOLD_PARAM_FLEET_FLEET_QUOTA": "accounting",
        "STATEHOLD_PARAM_FLEET_FLEET_CLOUD": "in-process",
    }
    return Fleet(tmp_path, environ)


@pytest.fixture
def host(fleet: Fleet) -> Iterator[Host]:
    with Host(fleet.folder / "data", environ=fleet.environ) as host:
        host.deploy(fleet.image(1))
        yield host


def ask(runtime: Runtime, name: str, **args: object) -> Any:
    request = Request(app=APP, workspace=1, principal=SYSTEM)
    if name in ("Overview", "Owners"):
        return runtime.query(request, f"fleet.{name}", args)
    answer = runtime.command(request, f"fleet.{name}", args)
    assert not answer.problem
    return answer


def overview(runtime: Runtime) -> dict[str, Any]:
    return {each.Service: each for each in ask(runtime, "Overview")}


def pid_of(host: Host, service: str) -> int | None:
    with host.app(APP).borrow(0) as partition:
        launcher: Any = partition.storage("fleet.Launcher")
        found = [one for one in launcher.launcher.status(1) if one.service == service]
        return found[0].pid if found and found[0].phase == "running" else None


def test_people_and_mechanics_use_it_by_commands_and_queries(
    fleet: Fleet, host: Host, runtime: Runtime
) -> None:
    fleet.service()
    with pytest.raises(ProcessingError, match="nobody is there"):
        ask(runtime, "Install", Service="knob", Image="knob-1")
    ask(runtime, "SitIn", Names="ann, bob")
    with pytest.raises(ProcessingError, match="there is no image of a service"):
        ask(runtime, "Install", Service="knob", Image="knob-9")
    ask(runtime, "Install", Service="knob", Image="knob-1")
    wait_for(lambda: pid_of(host, "knob"))
    wait_for(lambda: overview(runtime)["knob"].State == "accepted")
    row = overview(runtime)["knob"]
    assert (row.Version, row.Users, row.Status) == (1, '["ann","bob"]', "running")
    assert row.Quota == "accounting (advisory: nothing is refused)"
    (owner,) = ask(runtime, "Owners")
    assert (owner.Service, owner.Version, owner.Users) == ("knob", 1, '["ann","bob"]')
    ask(runtime, "SetState", Service="knob", State="set")
    wait_for(lambda: overview(runtime)["knob"].State == "accepted")
    ask(runtime, "Remove", Service="knob")
    wait_for(lambda: overview(runtime)["knob"].Status == "installed")
    assert ask(runtime, "Owners") == []


def test_services_go_on_while_their_app_is_updated_and_rolled_back(
    fleet: Fleet, host: Host, runtime: Runtime
) -> None:
    fleet.service()
    ask(runtime, "SitIn", Names="ann")
    ask(runtime, "Install", Service="knob", Image="knob-1")
    pid = wait_for(lambda: pid_of(host, "knob"))
    host.deploy(fleet.image(2))
    assert pid_of(host, "knob") == pid
    ask(runtime, "Restart", Service="knob")
    again = wait_for(lambda: pid_of(host, "knob") not in (None, pid) and pid_of(host, "knob"))
    host.rollback(APP)
    assert pid_of(host, "knob") == again
    ask(runtime, "SitIn", Names="bob")
    wait_for(lambda: overview(runtime)["knob"].Status == "installed")
    assert host.warnings == ()


def test_a_server_that_gets_sigterm_ends_services_first_and_keeps_their_last_states(fleet: Fleet) -> None:
    fleet.service()
    data = fleet.folder / "data"
    offline = {**fleet.environ, "STATEHOLD_PARAM_FLEET_FLEET_CLOUD": ""}
    with Host(data, environ=offline) as host:
        host.deploy(fleet.image(1))
        with Runtime(host, jobs=False) as runtime:
            ask(runtime, "SitIn", Names="ann")
            ask(runtime, "Install", Service="knob", Image="knob-1")
            wait_for(lambda: pid_of(host, "knob"))
    server = subprocess.Popen(
        [sys.executable, "-m", "statehold", "serve", "--port", "0", "--data", str(data)],
        env={**os.environ, **offline},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert any("1 app at http" in line for line in iter(server.stdout.readline, ""))
        (states,) = data.rglob("knob-*/ann-*/state.dat")
        wait_for(lambda: states.read_text() == "first")
        server.send_signal(signal.SIGTERM)
        assert "stopped" in server.communicate(timeout=120)[0]
    finally:
        server.kill()
        server.communicate()
    assert server.returncode == 0
    assert states.read_text() == "last"
    (database,) = data.rglob("aos.db")
    with closing(sqlite3.connect(database)) as known:
        assert known.execute("SELECT pendingState FROM states").fetchall() == [(b"last",)]
        assert known.execute("SELECT state FROM services").fetchall() == [(2,)]
