"""`statehold zos monitor`, as a service manager runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
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
