"""`statehold zos monitor`, as a service manager runs it."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import IO, Any

from statehold_zos.config import config_of
from statehold_zos.model import DiskType
from statehold_zos.node import Node

LIMIT = 120


def documents(stream: IO[str]) -> Any:
    """Yield the documents of a stream, each as soon as it is whole."""
    text = ""
    for line in stream:
        text += line
        if line == "}\n":
            yield json.loads(text)
            text = ""


def test_events_are_told_until_sigterm(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    table = {
        "folder": "node",
        "every": 0.1,
        "plain": [{"path": "disk", "size": "1 MiB", "type": "ssd"}],
    }
    with Node(config_of(table, folder=tmp_path)) as node:
        node.disks.prepare()
    (tmp_path / "zos.toml").write_text(
        'folder = "node"\nevery = 0.1\n[[plain]]\npath = "disk"\nsize = "1 MiB"\ntype = "ssd"\n'
    )
    words = [sys.executable, "-m", "statehold", "zos", "monitor", "--metrics", "0", "--json"]
    with subprocess.Popen(
        words, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    ) as monitor:
        try:
            assert monitor.stdout is not None
            told = documents(monitor.stdout)
            first = next(told)
            assert (first["ok"], first["pid"], first["folder"]) == (True, monitor.pid, str(tmp_path / "node"))
            url = f"http://127.0.0.1:{first['metrics']}/metrics"
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                assert b"zos_pool_size_bytes" in answer.read()
            with Node(config_of(table, folder=tmp_path)) as beside:
                beside.bring_up()
                made = beside.pools.reserve(DiskType.SSD, 4096, name="beside")
                assert beside.figures.looks == 0, "the monitor looks after the node"
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                assert (
                    f'zos_pool_reserved_bytes{{pool="{made.pool}",type="ssd"}} 4096.0'
                    in answer.read().decode()
                )
            disk.rename(tmp_path / "away")
            event = next(told)["event"]
            while event["disk"] != str(disk):  # its pool may have been seen first
                event = next(told)["event"]
            assert event["kind"] == "removed"
            (tmp_path / "away").rename(disk)
            while (event["kind"], event["disk"]) != ("back", str(disk)):
                event = next(told)["event"]
            monitor.send_signal(signal.SIGTERM)
            assert (monitor.wait(LIMIT), monitor.stderr.read()) == (0, "")
        finally:
            monitor.kill()


def test_on_a_terminal_pools_are_shown_as_they_are_with_what_happened(tmp_path: Path) -> None:
    table = {"folder": "node", "every": 0.1, "plain": [{"path": "disk", "size": "1 MiB", "type": "ssd"}]}
    with Node(config_of(table, folder=tmp_path)) as node:
        node.disks.prepare()
        node.pools.reserve(DiskType.SSD, 2**19)
    (tmp_path / "zos.toml").write_text(
        'folder = "node"\nevery = 0.1\n[[plain]]\npath = "disk"\nsize = "1 MiB"\ntype = "ssd"\n'
    )
    screen, terminal = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "statehold", "zos", "monitor"],
            cwd=tmp_path,
            stdout=terminal,
            stderr=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "50"},
        ) as monitor:
            try:
                shown(screen, "▒▒▒", "512 KiB", "█ in use")
                (tmp_path / "disk").rename(tmp_path / "away")
                shown(screen, "removed: ", "gone")
                (tmp_path / "away").rename(tmp_path / "disk")
                shown(screen, "back: ", "ready")
                monitor.send_signal(signal.SIGTERM)
                while monitor.poll() is None:  # what it still shows is read, so that it never waits for that
                    if select.select([screen], [], [], 0.05)[0]:
                        os.read(screen, 65536)
                assert monitor.stderr is not None
                assert (monitor.returncode, monitor.stderr.read()) == (0, b"")
            finally:
                monitor.kill()
    finally:
        os.close(terminal)
        os.close(screen)


def shown(screen: int, *words: str) -> None:
    """Read what is shown from now on until all of that was there."""
    end, seen = time.monotonic() + LIMIT, b""
    while not all(word.encode() in seen for word in words):
        assert time.monotonic() < end, seen.decode(errors="replace")
        if select.select([screen], [], [], 1)[0]:
            seen += os.read(screen, 65536)
