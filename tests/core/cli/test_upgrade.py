"""`upgrade` and `rollback` show each step: line by line, live on a terminal, as documents for machines."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from statehold.cli import run
from statehold.hosting import FreedPlugin, Host
from statehold.processing import Runtime
from statehold.serving import Server, Tokens

APP = "acme.hello"


@pytest.fixture
def images(tmp_path, samples, machine):
    """Return a function that builds a version of the sample, with so many partitions."""

    def build(version, parts=1):
        root = tmp_path / f"source-{parts}" / APP
        if not root.exists():
            shutil.copytree(samples / APP, root)
            descriptor = root / "descriptor.json"
            descriptor.write_text(json.dumps({**json.loads(descriptor.read_text()), "NumParts": parts}))
        return machine("build", root, "--output", tmp_path, "--version", version)["path"]

    return build


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def documents(capsys, *arguments, code=0):
    capsys.readouterr()
    assert run([*map(str, arguments), "--json"]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_step_is_a_line(images, data, statehold):
    statehold("upgrade", images("1"), "--data", data)
    lines = statehold("upgrade", images("2"), "--data", data).splitlines()
    assert [line.split()[0] for line in lines] == [
        *("verify", "compile", "load", "compare", "open", "probe", "index", "make", "free", "✓")
    ]
    assert lines[-1] == "✓ acme.hello 2 is current, 1 partition"
    assert "make 1 current" in statehold("rollback", APP, "--data", data).splitlines()


def test_for_machines_each_step_is_a_document_and_the_last_one_is_that_of_deploy(images, data, capsys):
    image = images("1")
    *steps, end = documents(capsys, "upgrade", image, "--data", data)
    assert all(set(step) >= {"step", "text"} for step in steps)
    assert (end["ok"], end["app"], end["version"], end["state"]) == (True, APP, "1", "current")


def test_what_cannot_be_upgraded_says_why(images, data, capsys, statehold):
    statehold("deploy", images("1"), "--data", data)
    other = images("2", parts=2)
    assert "NumParts" in statehold("upgrade", other, "--data", data, code=1)
    end = documents(capsys, "upgrade", other, "--data", data, code=1)[-1]
    assert (end["ok"], "NumParts" in end["error"]["message"]) == (False, True)


def test_a_canary_takes_a_share_of_the_partitions(images, data, statehold):
    statehold("deploy", images("1", 4), "--data", data)
    shown = statehold("upgrade", images("2", 4), "--canary", "50%", "--canary-seconds", "0.1", "--data", data)
    assert "canary in 2 of 4 partitions: 0 of 0.1 s, 0 of 0 calls failed" in shown
    assert "acme.hello 2 is current, 4 partitions" in shown


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--canary", "150%"), "expected a share such as 10% or 0.1"),
        (("--canary", "much"), "expected a share such as 10% or 0.1"),
        (("--canary-calls", "5"), "--canary-calls goes with --canary"),
        (("--canary", "10%", "--canary-seconds", "0"), "--canary-seconds"),
    ],
)
def test_what_no_canary_can_be_is_wrong_usage(images, data, statehold, options, said):
    assert said in statehold("upgrade", images("1"), *options, "--data", data, code=2)


def test_what_is_opened_beside_the_current_version_is_no_canary(images, data, statehold):
    assert "--beside" in statehold(
        "deploy", images("1"), "--beside", "--canary", "10%", "--data", data, code=2
    )


def test_one_partition_is_no_place_for_a_canary(images, data, statehold):
    statehold("deploy", images("1"), "--data", data)
    assert "needs two partitions" in statehold(
        "upgrade", images("2"), "--canary", "10%", "--data", data, code=1
    )


def test_a_server_is_upgraded_and_rolled_back_the_same_way(images, data, statehold, machine, capsys):
    tokens = Tokens.open(data)
    with Host(data, keep=1) as host, Runtime(host) as runtime:
        host.deploy(images("1", 2))
        with Server(host, runtime, tokens=tokens, data_folder=data) as server:
            to = ("--to", server.url, "--data", data)
            shown = statehold("upgrade", images("2", 2), *to, "--canary", "0.5", "--canary-seconds", "0.1")
            assert "keep 1: it stays open, to be rolled back to" in shown
            assert host.app(APP).current.name == "2"
            shown = statehold("rollback", APP, *to)
            assert "resume 1: it was kept open" in shown
            assert machine("rollback", APP, *to)["current"] == "2"
            assert machine("activate", APP, "1", *to)["current"] == "1"
            assert host.app(APP).current.name == "1"
            assert "activate acme.hello 2 --to URL" in statehold("activate", APP, "2", "--data", data, code=1)
            assert "has no version '9'" in statehold("activate", APP, "9", *to, code=1)
            assert machine("activate", APP, "2", *to)["current"] == "2"
            asked = (
                ("rollback", APP, f"rollback {APP} --to URL"),
                ("apps", "apps --to URL"),
                ("quarantine", "list", "quarantine list --to URL"),
                ("undeploy", APP, "--version", "1", f"undeploy {APP} --version 1 --to URL"),
            )
            for *command, how in asked:
                assert how in statehold(*command, "--data", data, code=1)
            *steps, end = documents(capsys, "upgrade", images("3", 2), *to)
            assert (steps[-1]["step"], end["version"]) == ("keep", "3")
            end = documents(capsys, "upgrade", images("4"), *to, code=1)[-1]
            assert "NumParts" in end["error"]["message"]


def test_a_server_lists_its_apps_lifts_a_quarantine_and_undeploys(images, data, statehold, machine):
    tokens = Tokens.open(data)
    leak = FreedPlugin(distribution="hello-devices", version="1", sha256="0" * 64, survivors=("module x",))
    with Host(data, keep=1) as host, Runtime(host) as runtime:
        for version in "12":
            host.deploy(images(version, 2))
        for _ in range(3):
            host.quarantine.freed(APP, [leak])
        with Server(host, runtime, tokens=tokens, data_folder=data) as server:
            to = ("--to", server.url, "--data", data)
            (app,) = machine("apps", *to)["apps"]
            found = {one["version"]: (one["state"], one["open"], one["answers"]) for one in app["versions"]}
            assert found == {"1": ("previous", True, 0), "2": ("current", True, 2)}
            shown = statehold("apps", *to)
            assert "previous, open" in shown
            assert "in quarantine, since it leaks when it is freed: hello-devices 1" in shown
            assert "hello-devices 1  since 20" in statehold("quarantine", "list", *to)
            assert machine("quarantine", "list", "--app", "acme.bank", *to)["quarantine"] == []
            assert "is not in quarantine" in statehold("quarantine", "lift", "x", *to, code=1)
            (lifted,) = machine("quarantine", "lift", "hello-devices", "--app", APP, *to)["lifted"]
            assert lifted["app"] == APP
            assert "Activate another one first" in statehold("undeploy", APP, "--version", "2", *to, code=1)
            shown = statehold("undeploy", APP, "--version", "1", *to).splitlines()
            assert (shown[-2][:6], shown[-1]) == ("free 1", "✓ acme.hello 1 is gone")
            assert machine("undeploy", APP, *to) == {"ok": True, "app": APP, "version": None}
            assert "No apps at http" in statehold("apps", *to)
            assert "status 404" in statehold("undeploy", APP, *to, code=1)


def test_a_server_that_is_killed_in_the_middle_is_told_as_that(images, data, statehold):
    Tokens.open(data)
    image = images("1")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                received = b""
                # All of it: what is closed unread is reset.
                while len(received.partition(b"\r\n\r\n")[2]) < Path(image).stat().st_size:
                    received += connection.recv(65536)
                step = b'{"step":"verify","text":"verify it"}\n'
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(step), step)
                )

        thread = threading.Thread(target=answer)
        thread.start()
        shown = statehold(
            "upgrade", image, "--to", f"http://127.0.0.1:{listener.getsockname()[1]}", "--data", data, code=1
        )
        thread.join(30)
    assert "verify it" in shown
    assert "ended before acme.hello was changed" in shown


def test_ctrl_c_during_a_canary_leaves_the_version_before(images, data, statehold, machine):
    statehold("deploy", images("1", 2), "--data", data)
    command = ("upgrade", images("2", 2), "--canary", "50%", "--canary-seconds", "3600", "--data", str(data))
    with subprocess.Popen(
        [sys.executable, "-m", "statehold", *command, "--json"], stdout=subprocess.PIPE, text=True
    ) as upgrade:
        while json.loads(upgrade.stdout.readline())["step"] != "canary":
            pass
        upgrade.send_signal(signal.SIGINT)
        left, _ = upgrade.communicate(timeout=30)
    assert upgrade.returncode == 130
    assert json.loads(left.splitlines()[-1])["error"] == {
        "type": "Interrupted",
        "message": "interrupted: the version before goes on",
        "hint": "",
    }
    (app,) = machine("apps", "--data", data)["apps"]
    assert (app["current"], [one["version"] for one in app["versions"]]) == ("1", ["1"])


@pytest.mark.parametrize(
    ("stage", "options", "said"),
    [
        ("open", (), "interrupted: the version before goes on\n"),
        ("keep", (), "interrupted: the new version may be current. `statehold apps` says what is\n"),
        ("free", (), "interrupted: the new version may be current. `statehold apps` says what is\n"),
        ("open", ("--to",), "interrupted: the version before goes on, once the server has noticed\n"),
    ],
)
def test_ctrl_c_says_what_is_current(images, data, statehold, monkeypatch, capsys, stage, options, said):
    def interrupt(_, got, text, figures):
        if got == stage:
            raise KeyboardInterrupt

    monkeypatch.setattr("statehold.cli._steps._Lines.__call__", interrupt)
    keep = 1 if stage == "keep" else 0
    with Host(data, keep=keep) as host, Runtime(host) as runtime:
        host.deploy(images("1"))
        if options or keep:
            with Server(host, runtime, tokens=Tokens.open(data), data_folder=data) as server:
                to = ("--to", server.url, "--data", data)
                shown = statehold("upgrade", images("2"), *to, code=130)
    if not options and not keep:
        shown = statehold("upgrade", images("2"), "--data", data, code=130)
    assert shown.endswith(said)


def test_a_terminal_shows_the_steps_live(images, data):
    mine, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "statehold", "upgrade", images("1"), "--data", data],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"},
    ) as upgrade:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(mine, 65536):
                shown += piece
        except OSError:
            pass  # So a terminal says that nobody writes to it any more.
    os.close(mine)
    assert upgrade.returncode == 0
    assert "✓ make 1 current" in shown.decode()
    assert "✓ acme.hello 1 is current" in shown.decode()
