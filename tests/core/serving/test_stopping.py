from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from cafe import APP, CODE, cafe

from statehold.hosting import Host
from statehold.processing import SYSTEM, Request, Runtime
from statehold.sdk import HostError
from statehold.serving import Limits, Tokens
from statehold.serving._http import HttpServer

MENU = "/api/v2/apps/acme/shop/workspaces/1/queries/shop.Menu"
BUY = "/api/v2/apps/acme/shop/workspaces/1/commands/shop.Buy"

#: Says through a pipe that it has begun, and waits until it may end.
SLOW = CODE.replace(
    "return call.arg",
    """open(call.arg.T + "/begun", "w").close()
    open(call.arg.T + "/go").close()
    return call.arg""",
)


class Served:
    """A process of `statehold serve`."""

    def __init__(self, folder: Path, *options: str) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("STATEHOLD_")}
        command = [sys.executable, "-m", "statehold", "serve", "--port", "0", "--json", *options]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        else:
            raise AssertionError(self.process.communicate()[1])
        self.document = json.loads("".join(lines))

    def end(self, timeout: float = 60) -> tuple[int, str]:
        """Return the exit code, and what was written on stderr."""
        _, errors = self.process.communicate(timeout=timeout)
        return self.process.returncode, errors


@pytest.fixture
def folder(tmp_path):
    """A folder with a host's data in it, and with the two pipes of a slow query."""
    for name in ("begun", "go"):
        os.mkfifo(tmp_path / name)
    with Host(tmp_path / ".statehold", environ={}) as host:
        host.deploy(cafe(tmp_path, code=SLOW))
        with Runtime(host, background=False) as runtime:
            request = Request(app=APP, workspace=1, principal=SYSTEM)
            made = runtime.create_workspace(request, "cafe.CafeWS", name="x", data={"City": "x"})
            assert made.workspace == 65_537
    return tmp_path


@pytest.fixture
def serve(folder):
    started = []

    def serve(*options: str) -> Served:
        started.append(Served(folder, *options))
        return started[-1]

    yield serve
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_stop_ends_what_it_has_begun_and_exits_with_0(folder, serve, number):
    served = serve()
    assert served.document["apps"] == {APP: "1"}
    url = served.document["url"]
    token = Tokens.open(folder / ".statehold").issue(SYSTEM, app=APP, lifetime=600)
    answers = []

    def ask():
        answers.append(
            httpx.get(
                f"{url}/api/v2/apps/acme/cafe/workspaces/65537/queries/cafe.Echo",
                params={"args": json.dumps({"T": "."})},
                headers={"Authorization": f"Bearer {token}"},
                timeout=60,
            )
        )

    asking = threading.Thread(target=ask)
    asking.start()
    (folder / "begun").open().close()
    served.process.send_signal(number)
    while True:
        try:
            httpx.get(f"{url}/health", timeout=60)
        except httpx.TransportError:
            break
    (folder / "go").open("w").close()
    asking.join()
    assert answers[0].status_code == 200
    assert answers[0].headers["connection"] == "close"
    assert served.end() == (0, "")
    with Host(folder / ".statehold", environ={}) as host:
        assert host.app(APP).current.name == "1"


def test_a_port_that_is_taken_is_an_error_and_nothing_is_left_running(folder, serve):
    port = serve().document["url"].rpartition(":")[2]
    taken = folder / "other"
    command = [sys.executable, "-m", "statehold", "serve", "--port", port, "--data", str(taken)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert f"port {port}" in done.stderr
    with Host(taken, environ={}):
        pass


def test_a_second_server_on_the_same_data_is_told_how_to_deploy(folder, serve):
    serve()
    command = [sys.executable, "-m", "statehold", "deploy", f"{APP}-1.shi"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "--to URL" in " ".join(done.stderr.split())


def test_who_waits_for_too_long_is_told_when_the_server_stops(start, runtime, gate):
    runtime.on_query = runtime.on_command = lambda *_: gate.wait() and []
    client = start(drain_seconds=1)
    url, answers = str(client.base_url), []
    asking = [
        threading.Thread(target=lambda call=call: answers.append(call()))
        for call in (lambda: httpx.get(url + MENU, timeout=30), lambda: httpx.post(url + BUY, timeout=30))
    ]
    for thread in asking:
        thread.start()
    while len(runtime.asked) < 2:
        client.get("/health")
    stopping = threading.Thread(target=start.stop)
    stopping.start()
    for thread in asking:
        thread.join()
    assert [answer.status_code for answer in answers] == [503, 503]
    assert all("stops" in answer.json()["message"] for answer in answers)
    gate.set()
    stopping.join()


def test_a_port_that_is_taken_is_said():
    first = HttpServer(None, address="127.0.0.1", port=0, limits=Limits())
    port = int(first.url.rpartition(":")[2])
    with pytest.raises(HostError, match=f"127.0.0.1 port {port}"):
        HttpServer(None, address="127.0.0.1", port=port, limits=Limits())
    first.stop()


def test_a_server_at_every_address_says_one_that_can_be_called():
    server = HttpServer(None, address="0.0.0.0", port=0, limits=Limits())
    assert server.url.startswith("http://127.0.0.1:")
    server.stop()
